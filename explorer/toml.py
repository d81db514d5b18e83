"""TOML, the language of sweeps and of configurations in files: read with mistakes told in a line, and written."""

import json
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explorer.errors import UserError

MOST_BYTES = 1 << 20  # of a file; the longest shipped one has 9 kB


def read(path: Path) -> dict[str, Any]:
    """The file's content. Raises UserError, in words that do not name the file, where it cannot be read."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # to open a pipe waits, a device never ends
            raise UserError("is no regular file; only such are read")
        if state.st_size > MOST_BYTES:
            raise UserError(f"has {state.st_size:,} bytes, and may have {MOST_BYTES:,}")
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"line {line} is not UTF-8 text; save the file as UTF-8") from None
    except RecursionError:
        raise UserError("not TOML that can be read: nested too deeply") from None
    except ValueError as error:
        end = f"at line {text.rstrip().count(chr(10)) + 1}, the end of the file"
        raise UserError(f"not valid TOML: {str(error).replace('at end of document', end)}") from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}") from None


def written(values: Mapping[str, object]) -> str:
    """A line a value: texts, numbers, switches and lists of them, which TOML spells as JSON does. Keys are bare
    words."""
    return "".join(f"{name} = {json.dumps(value, allow_nan=False)}\n" for name, value in values.items())
