"""Where runs are computed: processes of this machine, or others."""
