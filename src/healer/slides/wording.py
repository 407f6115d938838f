"""A slide's answer in words and rows, for its report in HTML and as PDF."""

from __future__ import annotations

from healer.display import percent, rough_percent
from healer.slides.answer import SlideAnswer
from healer.slides.regions import Region, RegionKind

FINDINGS_SHOWN = 3


def sentences_of(answer: SlideAnswer) -> list[str]:
    lines = [answer.sentence, *answer.warnings]
    if answer.second:
        lines.append(answer.second.sentence)
    if answer.cascade:
        lines.append(answer.cascade.in_words(answer.model.id, answer.first.answer))
    if not answer.verdict.calibrated:
        lines.append(
            "The score is not calibrated on slides: it ranks them, and is not the share of such "
            "slides that hold cancer."
        )
    return lines


def subtitle_of(answer: SlideAnswer) -> str:
    (width, height), scale = answer.info.size, answer.info.resolution
    return (
        f"{width:,} × {height:,} pixels, {width * scale.x / 1000:.1f} × "
        f"{height * scale.y / 1000:.1f} mm · {answer.model.id}"
    )


def ledger_rows(answer: SlideAnswer) -> list[tuple[str, str, str]]:
    """Account, mm², share of the tissue."""
    coverage = answer.coverage
    accounts = [
        ("read", coverage.read),
        *((f"excluded: {code.replace('_', ' ')}", mm2) for code, mm2 in coverage.excluded.items()),
        ("unreadable in the file", coverage.unreadable),
        ("not visited", coverage.unvisited),
        ("all tissue", coverage.tissue),
    ]
    return [
        (name, f"{mm2:.2f}", percent(mm2 / coverage.tissue, 1) if coverage.tissue else "–")
        for name, mm2 in accounts
        if mm2 or name in ("read", "all tissue")
    ]


def caption_of(answer: SlideAnswer, region: Region) -> list[str]:
    """A title, then a line each of its size and place, and of what was found."""
    x, y, _, _ = answer.info.resolution.mm(region.peak_area)
    kind = "Suspected cancer" if region.kind is RegionKind.CANCER else f"Precursor: {region.mark}"
    findings = ", ".join(
        f"{finding.name} {rough_percent(finding.probability)}"
        for finding in region.findings[:FINDINGS_SHOWN]
    )
    return [
        f"{region.rank}. {kind}",
        f"{region.area_mm2:.2f} mm², {region.tiles} tile{'s' * (region.tiles != 1)}, "
        f"peak {region.peak:.3f} at {x:.2f}, {y:.2f} mm",
        findings,
    ]


def facts_of(answer: SlideAnswer) -> dict[str, str]:
    """Where the answer comes from."""
    info, plan, model = answer.info, answer.plan, answer.model
    return {
        "question": answer.question.id,
        "rule": answer.rule,
        "micrometres per pixel": (
            f"{info.resolution.x:.4g} × {info.resolution.y:.4g} ({info.resolution.source})"
        ),
        "reader": info.reader,
        "colour": info.colour,
        "levels": ", ".join(f"{level.width} × {level.height}" for level in info.levels),
        "tiles": f"{plan.px} pixels at {plan.um_per_px:g} µm, overlap {percent(plan.overlap)}",
        "model": f"{model.id}, revision {model.revision}, {model.device}, {model.dtype}",
        "calibration of tiles": model.calibration or "none",
        "calibration of slides": answer.calibration or "none",
        "seed": str(answer.seed),
        "slide's content": info.content_hash,
        "seconds": ", ".join(
            f"{stage.replace('_', ' ')} {seconds:.1f}" for stage, seconds in answer.seconds.items()
        ),
        "healer": answer.binding["healer"],
    }
