"""The network of a private engine: a bridge of its own, and just the firewall rules it needs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.machine.debian import find_binary

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True)
class Bridge:
    """Name a bridge and its address range 10.213.<number>.0/24."""

    name: str
    number: int

    @property
    def gateway(self) -> str:
        """Return the bridge's own address with its range."""
        return f"10.213.{self.number}.1/24"

    @property
    def rules(self) -> tuple[list[str], ...]:
        """Return the rules that let containers out: they name this bridge only.

        FORWARD needs its two because another engine may have set that chain's policy to DROP.
        """
        inside = f"10.213.{self.number}.0/24"
        return (
            ["-t", "nat", "POSTROUTING", "-s", inside, "!", "-o", self.name, "-j", "MASQUERADE"],
            ["-t", "filter", "FORWARD", "-i", self.name, "-j", "ACCEPT"],
            ["-t", "filter", "FORWARD", "-o", self.name, "-j", "ACCEPT"],
        )

    def create(self) -> None:
        """Create the bridge, its rules, and allow forwarding."""
        _ip("link", "add", self.name, "type", "bridge")
        _ip("addr", "add", self.gateway, "dev", self.name)
        _ip("link", "set", self.name, "up")
        for table, chain, rule in map(_split, self.rules):
            _iptables(*table, "-I", chain, *rule, check=True)
        FORWARDING.write_text("1\n")

    def remove(self) -> None:
        """Remove the bridge and every rule that names it."""
        for table, chain, rule in map(_split, self.rules):
            while _iptables(*table, "-D", chain, *rule):
                pass
        if (Path("/sys/class/net") / self.name).exists():
            _ip("link", "delete", self.name)


def _split(rule: list[str]) -> tuple[list[str], str, list[str]]:
    return rule[:2], rule[2], rule[3:]


def _ip(*arguments: str) -> None:
    subprocess.run([find_binary("ip"), *arguments], check=True, capture_output=True)


def _iptables(*arguments: str, check: bool = False) -> bool:
    binary = find_binary("iptables")
    if not binary:
        return False
    return subprocess.run([binary, "-w", "30", *arguments], check=check, capture_output=True).returncode == 0
