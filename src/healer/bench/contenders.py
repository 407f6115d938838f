"""Who can be measured, and which folder each reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import healer
from healer.engines.openvino.folder import FOLDER
from healer.errors import UnknownContender

# Rivals are not part of the installed package; they lie beside its source.
REPOSITORY = Path(healer.__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Entry:
    """`folder` is where its model lies below the checkpoint; `files` what of it counts on disk."""

    name: str
    title: str
    module: str
    folder: str = "."
    files: str = "*"

    @property
    def is_rival(self) -> bool:
        return self.module.startswith("benchmarks.")

    def place(self, checkpoint: Path) -> Path:
        return checkpoint / self.folder

    def size(self, checkpoint: Path) -> int:
        """Bytes on disk of what it reads."""
        place = self.place(checkpoint)
        return sum(file.stat().st_size for file in place.glob(self.files) if file.is_file())


ENTRIES = {
    entry.name: entry
    for entry in (
        Entry("healer-openvino", "Healer, OpenVINO int8", "healer.bench.healer_openvino", FOLDER),
        Entry("healer-bf16", "Healer, transformers bf16", "healer.bench.healer_medgemma"),
        Entry("healer-8bit", "Healer, transformers 8-bit", "healer.bench.healer_medgemma_8bit"),
        Entry("transformers", "transformers bf16", "benchmarks.plain_transformers"),
        Entry("bitsandbytes", "bitsandbytes 8-bit", "benchmarks.plain_bitsandbytes"),
        Entry("llama.cpp", "llama.cpp", "benchmarks.llama_cpp_python", "gguf", "*.gguf"),
        Entry("openvino-genai", "OpenVINO GenAI", "benchmarks.genai", "genai"),
    )
}


def chosen(names: str) -> list[Entry]:
    """Of a comma-separated list, in its order; `all` is everyone. Raises UnknownContender."""
    wanted = list(ENTRIES) if names == "all" else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in ENTRIES:
            raise UnknownContender(name, ", ".join(ENTRIES))
    return [ENTRIES[name] for name in dict.fromkeys(wanted)]
