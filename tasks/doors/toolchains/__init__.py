"""The one door to toolchains of this machine: where no container engine is, a module is built with them."""

from tasks.doors.toolchains.builds import build_on_host
from tasks.doors.toolchains.finding import HostToolchain, find_toolchain
