"""What git prints (2.39 and 2.47, curl with GnuTLS and OpenSSL, OpenSSH) becomes one line, one remedy, one decision."""

from __future__ import annotations

import time

import pytest

from pluginyard.settings import strip_credentials
from pluginyard.sources import judge_git_failure

ACCESS = "fatal: unable to access 'https://git.example/r/': "
RIGHTS = "Please make sure you have the correct access rights\nand the repository exists."
NO_READ = f"fatal: Could not read from remote repository.\n\n{RIGHTS}"


@pytest.mark.parametrize(
    "said",
    [
        ACCESS + "The requested URL returned error: 503",
        ACCESS + "The requested URL returned error: 429",
        ACCESS + "Could not resolve host: git.example",
        ACCESS + "Failed to connect to git.example port 443 after 2 ms: Couldn't connect to server",
        "fatal: unable to access 'https://git.example/certificate-manager/': Could not resolve host: git.example",
        "error: RPC failed; curl 56 GnuTLS recv error (-54): Error in the pull function.",
        "fatal: the remote end hung up unexpectedly",
        "fatal: unable to connect to git.example:",
    ],
)
def test_what_may_pass_is_worth_another_try(said: str) -> None:
    failure = judge_git_failure(f"Cloning into bare repository '/c/m.partial'...\n{said}\n")
    assert failure.transient
    assert (failure.said, failure.remedy) == (said, "try later")


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (ACCESS + "The requested URL returned error: 403", "credential helper"),
        (ACCESS + "The requested URL returned error: 400", "check the address"),
        ("fatal: repository 'https://git.example/r/' not found", "check the address"),
        ("fatal: could not read Username for 'https://git.example': terminal prompts disabled", "credential helper"),
        ("fatal: remote error: access denied or repository not exported: /r", "check the address"),
        ("fatal: '/srv/r' does not appear to be a git repository", "check the address"),
        (ACCESS + "server certificate verification failed. CAfile: none CRLfile: none", "PLUGINYARD_CA_BUNDLE"),
        (ACCESS + "SSL certificate problem: unable to get local issuer certificate", "PLUGINYARD_CA_BUNDLE"),
        (ACCESS + "error reading ca cert file /ca.pem (Error while reading file.)", "PLUGINYARD_CA_BUNDLE"),
        (ACCESS + "Received HTTP code 407 from proxy after CONNECT", "HTTPS_PROXY"),
        (ACCESS + "CONNECT tunnel failed, response 403", "HTTPS_PROXY"),
        ("fatal: transport 'ext' not allowed", "give an https, ssh, git or file address"),
        ("fatal: couldn't find remote ref refs/pull/9/head", "name a tag, a branch or a commit"),
        ("fatal: not a git repository (or any of the parent directories): .git", "run git init and commit"),
        ("fatal: could not fetch 0123 from promisor remote", "git sparse-checkout add"),
        ("fatal: bad config line 1 in file /r/.git/config", "fix git's configuration"),
        ("fatal: bad boolean config value 'perhaps' for 'core.bare'", "fix git's configuration"),
        ("fatal: unknown repository extension found:", "use a newer git"),
        ("fatal: write error: No space left on device", "make room"),
        ("error: cannot open FETCH_HEAD: Permission denied", "let this user read and write"),
    ],
)
def test_what_will_not_pass_is_not_tried_again_and_names_the_remedy(said: str, remedy: str) -> None:
    failure = judge_git_failure(said)
    assert not failure.transient
    assert not failure.may_be_damage, "a new clone would not help"
    assert failure.said == said
    assert remedy in failure.remedy


@pytest.mark.parametrize(
    ("line", "transient", "remedy"),
    [
        ("ssh: connect to host git.example port 22: Connection refused", True, "try later"),
        ("ssh: Could not resolve hostname git.example: Name or service not known", True, "try later"),
        ("kex_exchange_identification: Connection closed by remote host", True, "try later"),
        ("git@git.example: Permission denied (publickey).", False, "a key for ssh"),
        ("Host key verification failed.", False, "known_hosts"),
        ("ERROR: Repository not found.", False, "check the address"),
        ("something new of ssh", False, "check the address"),
    ],
)
def test_of_what_ssh_and_git_print_the_line_with_the_reason_is_taken(line: str, transient: bool, remedy: str) -> None:
    failure = judge_git_failure(f"{line}\n{NO_READ}")
    assert (failure.said, failure.transient, failure.may_be_damage) == (line, transient, False)
    assert remedy in failure.remedy


def test_the_owner_of_a_clone_is_trusted_by_the_command_that_git_names() -> None:
    failure = judge_git_failure(
        "fatal: detected dubious ownership in repository at '/srv/plugins/.git'\n"
        "To add an exception for this directory, call:\n\n\tgit config --global --add safe.directory /srv/plugins/.git"
    )
    assert failure.remedy.endswith("git config --global --add safe.directory /srv/plugins/.git")
    assert not failure.transient


@pytest.mark.parametrize(
    "said",
    [
        "error: cannot lock ref 'refs/heads/main': Unable to create '/c/refs/heads/main.lock': File exists.",
        "fatal: loose object ed8957a is corrupt\nfatal: the remote end hung up unexpectedly",
        "error: object file ./objects/ed/8957a is empty\nfatal: early EOF",
        "fatal: bad object refs/heads/main",
        "fatal: something nobody has seen",
        "",
    ],
)
def test_what_is_neither_the_remotes_fault_nor_the_disks_may_be_damage(said: str) -> None:
    failure = judge_git_failure(said)
    assert failure.may_be_damage
    assert not failure.transient
    assert failure.said == (said.splitlines() or ["git failed and does not say why"])[0]


@pytest.mark.parametrize("user", ["bob:tok3n@", "tok3n@", "bob:p@ss@", "bob:tok3n%40@"])
def test_user_and_password_of_an_address_are_not_repeated(user: str) -> None:
    said = judge_git_failure(
        f"fatal: unable to access 'https://{user}git.example/@scope/r/': Could not resolve host"
    ).said
    assert said == "fatal: unable to access 'https://git.example/@scope/r/': Could not resolve host"
    assert strip_credentials(f"git clone https://{user}h/x") == "git clone https://h/x"


@pytest.mark.parametrize("said", ["transport '" * 6000, "repository " * 6000, "fatal: " + "x" * 60_000, "\n" * 60_000])
def test_no_output_of_a_remote_takes_long_to_judge(said: str) -> None:
    began = time.process_time()
    assert len(judge_git_failure(said).said) <= 1000
    assert time.process_time() - began < 1
