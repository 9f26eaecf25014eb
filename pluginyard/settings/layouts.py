"""Where plugins of each language live in a repository; Higress's layout is the default."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class LanguageLayout(BaseModel):
    """Say where the plugins of one language live and which builder compiles them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = Field(description="Folder that holds one folder per plugin; empty: the plugins lie at the top")
    builder: str = Field(description="Name of a folder in builders/")

    def folder_of(self, name: str) -> str:
        """Return the folder of the plugin `name`."""
        return f"{self.folder}/{name}" if self.folder else name


HIGRESS_LAYOUT: Mapping[str, LanguageLayout] = {
    "go": LanguageLayout(folder="plugins/wasm-go/extensions", builder="go"),
    "tinygo": LanguageLayout(folder="plugins/wasm-go/extensions", builder="tinygo"),
    "rust": LanguageLayout(folder="plugins/wasm-rust/extensions", builder="rust"),
}
