import type { Prediction, Problem } from "../api/types";
import type { Item } from "./item";

/** Tiles, answers and refusals for tests. */
export function tile(id: string, change: Partial<Item> = {}): Item {
  return {
    id,
    name: `${id}.png`,
    file: new Blob([id]),
    phase: { is: "waiting" },
    explanation: "",
    losses: 0,
    resends: 0,
    review: { mark: null, note: "" },
    ...change,
  };
}

export function prediction(change: Partial<Prediction> = {}): Prediction {
  return {
    question: "colorectal-cancer-1",
    verdict: "no",
    probability: 0.156,
    calibrated: true,
    reason: null,
    findings: [],
    explanation: "Read as no cancer.",
    prediction: "No. Read as no cancer.",
    gate: { passed: true, warnings: [] },
    warnings: [],
    windows: null,
    second_answer: null,
    tile: { width: 224, height: 224, mpp: null },
    timings_ms: {},
    request_id: "fcbf72d877974ac4",
    notice: "",
    model: {
      engine: "builtin",
      id: "healer/builtin-crc",
      revision: "1",
      device: "cpu",
      dtype: "float32",
      quantization: "none",
      adapter: null,
      calibration: "1",
      thresholds: { lower: 0.278, upper: 0.556 },
    },
    ...change,
  };
}

export function problem(status: number, code: string, change: Partial<Problem> = {}): Problem {
  return {
    type: `urn:healer:problem:${code}`,
    title: `Title of ${code}`,
    detail: `Detail of ${code}.`,
    status,
    code,
    request_id: "1",
    retryable: false,
    retry_after: null,
    ...change,
  };
}
