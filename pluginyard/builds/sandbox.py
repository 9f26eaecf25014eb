"""How the containers of a build are set up: what each may do, and what marks it as ours.

Every flag was measured to let compilers pass, alone and together (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pluginyard.builds.recipe import MIB, Limits

WORK = "/build"
# A larger context is worked on in a volume: memory is what the compiler is for.
MEMORY_CONTEXT = 32 * MIB
CACHE = f"{WORK}/cache"
FETCHED = f"{WORK}/fetched"
RUN_LABEL = "io.pluginyard.run"
SHARED_LABEL = "io.pluginyard.shared"
NOBODY = 65534
CA_FILE = "/pluginyard-ca.pem"
NETRC_FILE = "/pluginyard-netrc"
CA_VARIABLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO")


def container_config(
    *,
    engine_cpus: int,
    image: str,
    script: str,
    environment: Mapping[str, str],
    limits: Limits,
    network: Literal["none", "default"] = "none",
    mounts: Sequence[dict[str, Any]] = (),
    fed: bool = False,
    run_id: str,
) -> dict[str, Any]:
    """Return the configuration of a container for one step, as the engine's API takes it.

    One that is `fed` is handed its work on standard input, and has it in memory.
    """
    return {
        "Image": image,
        # No working folder: the engine would create it inside the volume, as root's.
        "Entrypoint": ["sh", "-c"],
        "Cmd": [script],
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "User": f"{NOBODY}:{NOBODY}",
        "Labels": {RUN_LABEL: run_id},
        **dict.fromkeys(("AttachStdin", "OpenStdin", "StdinOnce"), fed),
        "AttachStdout": True,
        "AttachStderr": True,
        "NetworkDisabled": network == "none",
        "HostConfig": _host_config(engine_cpus, limits, network, list(mounts), fed),
    }


def _host_config(
    engine_cpus: int, limits: Limits, network: Literal["none", "default"], mounts: list[dict[str, Any]], fed: bool
) -> dict[str, Any]:
    alone = network == "none"
    mounted = {mount["Target"] for mount in mounts}
    # In memory: nothing to remove afterwards. A quarter of the step's memory each, which they count to.
    size = f"rw,nosuid,nodev,size={max(64 * MIB, limits.memory_bytes // 4)}"
    own = f"{size},uid={NOBODY},gid={NOBODY},mode=0755"
    # Compilers run what they have built: a volume lets them, and so must memory in its place.
    tmpfs = {"/tmp": f"{size},mode=1777", CACHE: own} | ({WORK: f"{own},exec"} if fed else {})  # noqa: S108 - the container's own
    return {
        "NetworkMode": network,
        # The fetch step's authorities and netrc are put beside the volume, which a read-only root would refuse;
        # its user can write nowhere there anyway.
        "ReadonlyRootfs": alone,
        "Tmpfs": {path: options for path, options in tmpfs.items() if path not in mounted},
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": limits.processes,
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,
        # More processors than there are is an error.
        "NanoCpus": int(min(limits.cpus, engine_cpus) * 1_000_000_000),
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


def volume_mount(name: str, target: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return a mount of the volume `name`, which is made on first use."""
    options = {"Labels": dict(labels), "NoCopy": True}
    return {"Type": "volume", "Source": name, "Target": target, "VolumeOptions": options}
