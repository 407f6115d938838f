import type { Model, Prediction, Verdict } from "../api/types";
import { texts } from "../texts";
import { duration } from "./numbers";

export function provenanceFacts(
  verdict: Verdict,
  answer: Prediction | undefined,
): [string, string][] {
  const { provenance } = texts;
  const { tile } = verdict;
  const times = answer?.timings_ms;
  const page = tile.page ? provenance.page(tile.page) : "";
  const scale = tile.mpp === null ? provenance.noScale : provenance.mpp(tile.mpp);
  return [
    ...modelFacts(verdict.model),
    [
      provenance.time,
      times?.total === undefined ? "" : duration(times.total) + provenance.stages(times.score),
    ],
    [provenance.tile, provenance.pixels(tile.width, tile.height) + page + scale],
    [provenance.request, verdict.request_id],
  ];
}

export function modelFacts(model: Model): [string, string][] {
  const { provenance } = texts;
  return [
    [provenance.model, model.id],
    [provenance.engine, model.engine],
    [provenance.revision, model.revision],
    [provenance.adapter, model.adapter ?? ""],
    [provenance.device, model.device.toUpperCase()],
    [provenance.precision, provenance.full(model.dtype, model.quantization)],
    [provenance.calibration, model.calibration ?? provenance.none],
    [provenance.thresholds, provenance.cuts(model.thresholds.lower, model.thresholds.upper)],
  ];
}
