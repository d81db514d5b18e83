"""The server behind the page: it shows the study, follows sweeps, and trains what PLAY asks for."""
