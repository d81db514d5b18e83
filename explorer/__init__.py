"""How a model is trained, recorded and judged. See README.md, "Where things are"."""

import os as _os

__version__ = "0.1.0"

# tinygrad takes an empty cache folder for the current one, and unpickles what somebody may have put there. By the XDG
# specification what is no absolute path counts as unset.
if not _os.path.isabs(_os.environ.get("XDG_CACHE_HOME", "/")):
    del _os.environ["XDG_CACHE_HOME"]
