"""How the containers of a build are set up: what each runs, sees and may do, and what marks it as ours.

Every flag was measured to let compilers pass, alone and together (docs/decisions.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pluginyard.builds.output import OUTPUT_VARIABLE, SEND_OUTPUT
from pluginyard.builds.recipe import MIB, BuildStep, Recipe, StepName
from pluginyard.settings import Site

WORK = "/build"
# A larger context is worked on in a volume: memory is what the compiler is for.
MEMORY_CONTEXT = 32 * MIB
RUN_LABEL = "io.pluginyard.run"
SHARED_LABEL = "io.pluginyard.shared"
NOBODY = 65534
CA_FILE = "/pluginyard-ca.pem"
NETRC_FILE = "/pluginyard-netrc"
# After a container was killed: how long its output may take to end before the connection is cut.
GRACE_SECONDS = 15
_CACHE = f"{WORK}/cache"
_FETCHED = f"{WORK}/fetched"


@dataclass(frozen=True)
class Sandbox:
    """Plan the containers of one build, which `name` names; `streamed` hands the work over on standard input.

    A streamed work lies in memory, and one container does it all; any other lies on a volume called `name`.
    """

    name: str
    recipe: Recipe
    image: str
    compile_image: str
    """The image in which the plugin's script has run, or the same: what fetches with passwords runs in none of that."""
    engine_cpus: int
    run_id: str
    streamed: bool

    def container(self, step: StepName) -> str:
        """Return the name of the container of `step`."""
        return f"{self.name}-{step}"

    def config(self, step: StepName) -> dict[str, Any]:
        """Return the configuration of the container of `step`, as the engine's API takes it."""
        return container_config(
            engine_cpus=self.engine_cpus,
            image=self.compile_image if step == "compile" else self.image,
            script=self._script(step),
            environment=self._environment(step),
            site=self.recipe.site,
            network="default" if step == "fetch" else "none",
            mounts=self._mounts(),
            streamed=self.streamed,
            run_id=self.run_id,
        )

    def _script(self, step: StepName) -> str:
        script = f'cd "{WORK}/src/$PLUGINYARD_FOLDER" && {self._step(step).script}'
        if step == "fetch" and self.recipe.site.netrc:  # git looks there only; afterwards the link leads nowhere
            script = f'ln -s {NETRC_FILE} "$HOME/.netrc" && {script}'
        # What the compiler prints goes to the log; standard output is the module's alone.
        script = f"({script}) </dev/null >&2 || exit $?{SEND_OUTPUT}" if step == "compile" else script
        script = f"tar -xf - -C {WORK} >&2 || exit $?\n{script}" if self.streamed else script
        # Nobody holds the time limit of a run that was killed: the container ends itself, a little later.
        latest = math.ceil(self.recipe.site.seconds) + 2 * GRACE_SECONDS
        return f"(sleep {latest}; kill -9 -1) </dev/null >/dev/null 2>&1 &\n{script}"

    def _step(self, step: StepName) -> BuildStep:
        return self.recipe.step(step, WORK, ca_bundle=CA_FILE, netrc=NETRC_FILE)

    def _environment(self, step: StepName) -> dict[str, str]:
        own = {"PLUGINYARD_FOLDER": self.recipe.folder, OUTPUT_VARIABLE: self.recipe.output(WORK)}
        return {**self._step(step).environment, **own}

    def _mounts(self) -> list[dict[str, Any]]:
        if self.streamed:
            return []
        own = _volume_mount(self.name, WORK, {RUN_LABEL: self.run_id})
        if self.recipe.site.build_cache == "private":
            return [own]
        builder = self.recipe.builder.name
        shared, marked = f"pluginyard-shared-{builder}-{self.image[-12:]}", {SHARED_LABEL: builder}
        return [
            own,
            _volume_mount(f"{shared}-cache", _CACHE, marked),
            _volume_mount(f"{shared}-fetched", _FETCHED, marked),
        ]


def fits_in_memory(recipe: Recipe, work_bytes: int) -> bool:
    """Return whether one container can do it all with its work in memory.

    It spares a volume, and unpacking into a container that does not run yet: 60 ms of 250 (benchmarks/README.md).
    """
    return recipe.fetch is None and recipe.site.build_cache == "private" and work_bytes <= MEMORY_CONTEXT


def container_config(
    *,
    engine_cpus: int,
    image: str,
    script: str,
    environment: Mapping[str, str],
    site: Site,
    network: Literal["none", "default"] = "none",
    mounts: Sequence[dict[str, Any]] = (),
    streamed: bool = False,
    run_id: str,
) -> dict[str, Any]:
    """Return the configuration of a container that runs `script`, as the engine's API takes it."""
    return {
        "Image": image,
        # No working folder: the engine would create it inside the volume, as root's.
        "Entrypoint": ["sh", "-c"],
        "Cmd": [script],
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "User": f"{NOBODY}:{NOBODY}",
        "Labels": {RUN_LABEL: run_id},
        **dict.fromkeys(("AttachStdin", "OpenStdin", "StdinOnce"), streamed),
        "AttachStdout": True,
        "AttachStderr": True,
        "NetworkDisabled": network == "none",
        "HostConfig": _host_config(engine_cpus, site, network, list(mounts), streamed),
    }


def _host_config(
    engine_cpus: int, site: Site, network: Literal["none", "default"], mounts: list[dict[str, Any]], streamed: bool
) -> dict[str, Any]:
    memory = site.memory * MIB
    mounted = {mount["Target"] for mount in mounts}
    # In memory: nothing to remove afterwards. A quarter of the step's memory each, which they count to.
    size = f"rw,nosuid,nodev,size={max(64 * MIB, memory // 4)}"
    own = f"{size},uid={NOBODY},gid={NOBODY},mode=0755"
    # Compilers run what they have built: a volume lets them, and so must memory in its place.
    tmpfs = {"/tmp": f"{size},mode=1777", _CACHE: own} | ({WORK: f"{own},exec"} if streamed else {})  # noqa: S108 - the container's own
    return {
        "NetworkMode": network,
        # The fetch step's authorities and netrc are put beside the volume, which a read-only root would refuse;
        # its user can write nowhere there anyway.
        "ReadonlyRootfs": network == "none",
        "Tmpfs": {path: options for path, options in tmpfs.items() if path not in mounted},
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": site.processes,
        "Memory": memory,
        "MemorySwap": memory,
        # More processors than there are is an error.
        "NanoCpus": int(min(site.cpus, engine_cpus) * 1_000_000_000),
        "Ulimits": [
            {"Name": "nofile", "Soft": 4096, "Hard": 4096},
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "fsize", "Soft": 4096 * MIB, "Hard": 4096 * MIB},
        ],
        "IpcMode": "none",
        "Init": True,
        # Output is read as it comes; on the engine's disk a hostile build could write without end.
        "LogConfig": {"Type": "none", "Config": {}},
        "Mounts": mounts,
    }


def _volume_mount(name: str, target: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return a mount of the volume `name`, which is made on first use."""
    options = {"Labels": dict(labels), "NoCopy": True}
    return {"Type": "volume", "Source": name, "Target": target, "VolumeOptions": options}
