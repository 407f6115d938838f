"""Who can be measured, and which folder each reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import healer
from healer.engines.openvino.conversion_record import CONVERSION_FOLDER
from healer.errors import UnknownSystem

# Rivals are not part of the installed package; they lie beside its source.
REPOSITORY = Path(healer.__file__).parents[2]


@dataclass(frozen=True, slots=True)
class SystemEntry:
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


SYSTEMS = {
    entry.name: entry
    for entry in (
        SystemEntry(
            "healer-openvino",
            "Healer, OpenVINO int8",
            "benchmarks.medgemma.healer_openvino",
            CONVERSION_FOLDER,
        ),
        SystemEntry(
            "healer-bf16", "Healer, transformers bf16", "benchmarks.medgemma.healer_transformers"
        ),
        SystemEntry(
            "healer-8bit",
            "Healer, transformers 8-bit",
            "benchmarks.medgemma.healer_transformers_8bit",
        ),
        SystemEntry("transformers", "transformers bf16", "benchmarks.medgemma.plain_transformers"),
        SystemEntry("bitsandbytes", "bitsandbytes 8-bit", "benchmarks.medgemma.plain_bitsandbytes"),
        SystemEntry("llama.cpp", "llama.cpp", "benchmarks.medgemma.llama_cpp", "gguf", "*.gguf"),
        SystemEntry(
            "openvino-genai", "OpenVINO GenAI", "benchmarks.medgemma.openvino_genai", "genai"
        ),
    )
}


def chosen_systems(names: str) -> list[SystemEntry]:
    """Of a comma-separated list, in its order; `all` is everyone. Raises UnknownContender."""
    wanted = list(SYSTEMS) if names == "all" else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in SYSTEMS:
            raise UnknownSystem(name, ", ".join(SYSTEMS))
    return [SYSTEMS[name] for name in dict.fromkeys(wanted)]
