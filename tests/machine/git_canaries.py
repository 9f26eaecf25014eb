"""Settings of git that name a program, each naming one of ours that says when it is run.

`git help --config` lists every setting; `names_a_program` finds those that an installed git has and this table lacks.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

# By the last part of its name. `{}` is the program; a name with `<…>` in git's own list has `canary` there.
PROGRAMS = {
    **dict.fromkeys(("core.askPass", "core.editor", "core.pager", "core.fsmonitor", "core.sshCommand"), "{}"),
    **dict.fromkeys(("core.gitProxy", "core.alternateRefsCommand", "sequence.editor", "imap.tunnel"), "{}"),
    **dict.fromkeys(("credential.helper", "credential.canary.helper"), "{}"),
    **dict.fromkeys(("diff.external", "diff.canary.command", "diff.canary.textconv", "merge.canary.driver"), "{}"),
    **dict.fromkeys(("difftool.canary.cmd", "difftool.canary.path", "mergetool.canary.cmd"), "{}"),
    **dict.fromkeys(("mergetool.canary.path", "guitool.canary.cmd", "interactive.diffFilter"), "{}"),
    **dict.fromkeys(("filter.canary.clean", "filter.canary.smudge", "filter.canary.process"), "{}"),
    **dict.fromkeys(("gpg.program", "gpg.canary.program", "gpg.openpgp.program", "gpg.ssh.program"), "{}"),
    **dict.fromkeys(("gpg.x509.program", "gpg.ssh.defaultKeyCommand", "gc.recentObjectsHook"), "{}"),
    **dict.fromkeys(("browser.canary.cmd", "browser.canary.path", "man.canary.cmd", "man.canary.path"), "{}"),
    **dict.fromkeys(("instaweb.httpd", "instaweb.browser", "web.browser", "help.browser", "man.viewer"), "{}"),
    **dict.fromkeys(("remote.origin.uploadpack", "remote.origin.receivepack"), "{}"),
    **dict.fromkeys(("remote.canary.uploadpack", "remote.canary.receivepack", "remote.canary.vcs"), "{}"),
    **dict.fromkeys(("sendemail.smtpServer", "sendemail.toCmd", "sendemail.ccCmd", "sendemail.headerCmd"), "{}"),
    **dict.fromkeys(("sendemail.sendmailCmd", "tar.canary.command", "hook.canary.command"), "{}"),
    **dict.fromkeys(("trailer.canary.command", "trailer.canary.cmd", "uploadpack.packObjectsHook"), "{}"),
    **{f"pager.{name}": "{}" for name in ("log", "show", "tag", "config", "canary")},
    **{f"pager.{name}": "{}" for name in ("cat-file", "rev-parse", "for-each-ref", "ls-tree", "upload-pack")},
    **{f"alias.{name}": "!{}" for name in ("cat-file", "rev-parse", "for-each-ref", "ls-tree", "canary")},
    "submodule.canary.update": "!{}",
    "remote.canary.url": "ext::{} %S",
    "url.ext::canary.insteadOf": "https://",
}
# What leads git to run the programs above.
OCCASIONS = {
    "core.attributesFile": "{folder}/attributes",
    "core.hooksPath": "{folder}/hooks",
    "diff.tool": "canary",
    "extensions.partialClone": "origin",
    "hook.canary.event": "reference-transaction",
    "include.path": "{folder}/included",
    "includeIf.gitdir:**.path": "{folder}/included",
    "init.templateDir": "{folder}",
    "log.showSignature": "true",
    "protocol.ext.allow": "always",
    "protocol.file.allow": "always",
    "remote.origin.promisor": "true",
    "remote.origin.url": "{folder}",
    "ssh.variant": "simple",
    "tag.gpgSign": "true",
    "trace2.eventTarget": "{folder}/ran/trace2.eventTarget",
    "trace2.normalTarget": "{folder}/ran/trace2.normalTarget",
}
_KINDS = re.compile(
    r".*(?:cmd|command|program|hook|helper|editor)|pager|textconv|driver|clean|smudge|process|external|"
    r"difffilter|askpass|fsmonitor|tunnel|httpd|browser|viewer|vcs|uploadpack|receivepack|gitproxy|smtpserver|update",
    re.IGNORECASE,
)
_NOT_ONE = {"advice.ignoredHook", "advice.waitingForEditor", "color.pager", "column.clean", "notes.rewrite.<command>"}


@dataclass(frozen=True)
class Canaries:
    """Hold the programs, and what was run of them."""

    folder: Path

    @property
    def ran(self) -> list[str]:
        """Return the settings whose programs were run."""
        return sorted(path.name for path in (self.folder / "ran").iterdir())


def put_canaries(git_folder: Path, folder: Path) -> Canaries:
    """Write every setting into the configuration of the repository in `git_folder`; the programs lie in `folder`."""
    for name in ("ran", "hooks"):
        (folder / name).mkdir(parents=True)
    for setting in [*PROGRAMS, "hook", "included"]:
        _program(folder / setting.replace("/", "_"), folder)
    for hook in ("reference-transaction", "post-checkout", "pre-auto-gc", "post-index-change"):
        (folder / "hooks" / hook).symlink_to(folder / "hook")
    attributes = "* filter=canary diff=canary merge=canary text ident working-tree-encoding=UTF-16\n"
    (folder / "attributes").write_text(attributes)
    (git_folder / "info").mkdir(exist_ok=True)
    (git_folder / "info/attributes").write_text(attributes)
    (folder / "included").unlink()
    (folder / "included").write_text(f"[core]\n\tpager = {folder}/core.pager\n")
    for setting, value in (PROGRAMS | OCCASIONS).items():
        text = value.replace("{folder}", str(folder)).replace("{}", str(folder / setting.replace("/", "_")))
        subprocess.run(["git", "config", "--file", str(git_folder / "config"), "--add", setting, text], check=True)
    subprocess.run(
        ["git", "config", "--file", str(git_folder / "config"), "core.repositoryFormatVersion", "1"], check=True
    )
    return Canaries(folder)


def missing_settings() -> set[str]:
    """Return the settings of the installed git that name a program, and that the table lacks."""
    listed = subprocess.run(["git", "help", "--config"], capture_output=True, text=True, check=True).stdout.split()
    programs = {name for name in listed if _KINDS.fullmatch(name.rpartition(".")[2])} - _NOT_ONE
    known = {name.lower() for name in PROGRAMS}
    return {name for name in programs if re.sub(r"<[^>]+>|\*", "canary", name).lower() not in known}


def _program(path: Path, folder: Path) -> None:
    path.write_text(f'#!/bin/sh\ntouch "{folder}/ran/$(basename "$0")"\nexit 1\n')
    path.chmod(0o755)
