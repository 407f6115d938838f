import type { components } from "./schema";

type Schemas = components["schemas"];

export type Health = Schemas["Health"];
export type Limits = Schemas["Limits"];
export type Model = Schemas["ModelOut"];
export type Prediction = Schemas["Prediction"];
export type Problem = Schemas["Problem"];
export type GateReason = Schemas["GateReason"];
export type Finding = Schemas["FindingOut"];
export type Thresholds = Schemas["Thresholds"];
export type Answer = Schemas["Answer"];
export type SecondAnswer = Schemas["SecondAnswerOut"];
/** The precursor that is likely where no cancer was read. */
export type Mark = NonNullable<SecondAnswer["mark"]>;
export type Window = Schemas["WindowOut"];
/** What the `verdict` event carries: an answer before it is put in words. One kept by an older page has no `warnings`. */
export type Verdict = Omit<
  Prediction,
  "prediction" | "explanation" | "timings_ms" | "notice" | "warnings"
> &
  Partial<Pick<Prediction, "warnings">>;
