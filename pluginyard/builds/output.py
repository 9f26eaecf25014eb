"""How a container announces and sends what a build left: one regular file of bounded size, or nothing.

The last lines of the container's script say on its standard output what lies at the output's place, and send a regular
file after that line. Half the time of reading it as an archive afterwards, for which an engine mounts the stopped
container again (docs/decisions.md).
"""

from __future__ import annotations

from pluginyard.builds.failures import output_error
from pluginyard.builds.recipe import MODULE_BYTES, Recipe

OUTPUT_VARIABLE = "PLUGINYARD_OUTPUT"
SEND_OUTPUT = """
if [ -L "$PLUGINYARD_OUTPUT" ]; then echo "link $(readlink "$PLUGINYARD_OUTPUT")"
elif [ -d "$PLUGINYARD_OUTPUT" ]; then echo folder
elif [ ! -e "$PLUGINYARD_OUTPUT" ]; then echo nothing
elif [ ! -f "$PLUGINYARD_OUTPUT" ]; then echo other
else echo "file $(wc -c < "$PLUGINYARD_OUTPUT")" && exec cat "$PLUGINYARD_OUTPUT"
fi"""
LONGEST_ANNOUNCEMENT = 4200
_SAID = {"folder": "is a folder", "nothing": "is missing"}


def announced_size(recipe: Recipe, announcement: bytes) -> int:
    """Return how many bytes follow the line `announcement`; raise BuildError where that is no module."""
    kind, _, rest = announcement.decode("utf-8", "replace").partition(" ")
    if kind == "link":
        raise output_error(recipe, f"is a link to {rest[:300]}")
    if kind != "file":
        raise output_error(recipe, _SAID.get(kind, "is no regular file"))
    size = int(rest) if rest.isdecimal() else -1
    if not 0 <= size <= MODULE_BYTES:
        raise output_error(recipe, f"is {rest[:30]} bytes long")
    return size
