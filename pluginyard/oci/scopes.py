"""The scopes of tokens: what they allow on which repository (Docker's token specification)."""

from __future__ import annotations


def scopes_of(repository: str, actions: str) -> frozenset[str]:
    """Return the scopes for `actions` (`pull` or `pull,push`) on a repository, one action each."""
    return frozenset(f"repository:{repository}:{action}" for action in actions.split(","))


def actions_of(scope: str) -> frozenset[str]:
    """Split `repository:a:pull,push` into one scope an action, so that sets of them can be compared."""
    heads = (one.rpartition(":") for one in scope.split())
    return frozenset(f"{head}:{action}" for head, _, actions in heads for action in actions.split(",") if head)


def scope_text(scopes: frozenset[str]) -> str:
    """Join the scopes as token services expect them: the actions on one repository together."""
    actions: dict[str, list[str]] = {}
    for scope in sorted(scopes):
        head, _, action = scope.rpartition(":")
        actions.setdefault(head, []).append(action)
    return " ".join(f"{head}:{','.join(listed)}" for head, listed in actions.items())
