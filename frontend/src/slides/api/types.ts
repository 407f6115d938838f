import type { Answer, Finding, Model, Problem, SecondAnswer } from "../../api/types";

export type SlideState =
  | "unread"
  | "queued"
  | "reading"
  | "read"
  /** Read by another model or calibration, or of another content of the file. */
  | "stale"
  | "failed"
  | "cancelled";

export interface Progress {
  done: number;
  total: number;
  seconds_left: number | null;
  tiles_per_second: number | null;
}

/** Micrometres per pixel of level 0, and who stated them. */
export interface SlideScale {
  x: number;
  y: number;
  source: string;
}

export type Agreement = "agree" | "disagree";
export const DIAGNOSES = [
  "normal",
  "hyperplastic",
  "low_grade",
  "high_grade",
  "adenocarcinoma",
  "other",
] as const;
export type Diagnosis = (typeof DIAGNOSES)[number];

/** What a reader says of a slide, or of one of its regions by rank. */
export interface SlideReview {
  region: number | null;
  agreement: Agreement;
  diagnosis: Diagnosis | null;
  note: string;
  at: string;
  by?: string | null;
}

export interface Slide {
  id: string;
  /** The path within the folder; null where the caller may not know it. */
  name: string | null;
  case: string | null;
  state: SlideState;
  verdict: Answer | null;
  probability: number | null;
  calibrated: boolean;
  second_answer: SecondAnswer | null;
  positive_mm2: number | null;
  read_share: number | null;
  tissue_mm2: number | null;
  regions: number | null;
  problem: Problem | null;
  progress: Progress | null;
  updated: string | null;
  stale_reason: string | null;
  thumbnail: string | null;
  /** The latest word on the whole slide. */
  review: Pick<SlideReview, "agreement" | "diagnosis" | "at"> | null;
  mpp: SlideScale | null;
}

/** All in pixels of level 0. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export type Ring = [number, number][];

export interface Region {
  /** Its place in the list, from 1; `rank` counts cancer and precursors by themselves. */
  id?: number;
  rank: number;
  kind: "cancer" | "precursor";
  mark: string | null;
  box: Box;
  box_mm: Box;
  /** Polygons, each an outer ring and its holes. */
  outline: Ring[][];
  area_mm2: number;
  score: number;
  peak: number;
  peak_box: Box;
  tiles: number;
  findings: Finding[];
}

/** A place that a second model was shown. */
export interface Patch {
  box: Box;
  region: number | null;
  first_verdict: Answer;
  verdict: Answer | null;
  probability: number | null;
  opinion: string;
  sentence: string;
}

/** What `slide.json` says, without the slide's name. */
export interface SlideAnswer {
  verdict: Answer;
  probability: number;
  calibrated: boolean;
  reason: string | null;
  sentence: string;
  first_verdict: Answer;
  warnings: string[];
  second_answer: SecondAnswer | null;
  scores: Record<string, number>;
  thresholds: { lower: number; upper: number };
  rule: string;
  slide_calibration: string | null;
  coverage: {
    tissue_mm2: number;
    read_mm2: number;
    excluded_mm2: Record<string, number>;
    unreadable_mm2: number;
    unvisited_mm2: number;
    read_share: number;
    least_share_for_no: number;
  };
  regions: Region[];
  cascade: { model: string; sentence: string; patches: Patch[] } | null;
  tiles: Record<string, number>;
  size: [number, number];
  mpp: SlideScale;
  reader: string;
  model: Model;
  timings_s: Record<string, number>;
  healer: string;
}

export interface SlideDetail extends Slide {
  size: [number, number] | null;
  levels: { width: number; height: number; downsample: number }[];
  answer: SlideAnswer | null;
  reviews: SlideReview[];
}

export interface Case {
  case: string;
  slides: number;
  read: number;
  worst_verdict: Answer | null;
  disagreements: number;
}

export type StateCounts = Record<SlideState, number>;

export interface ReadingQueue {
  paused: boolean;
  waiting: number;
  seconds_left: number | null;
}

export interface SlideList {
  slides: Slide[];
  total: number;
  page: number;
  per_page: number;
  /** Of the whole folder, whatever is filtered. */
  counts: StateCounts;
  queue: ReadingQueue;
  /** Those of this page's slides. */
  cases: Case[];
  notice: string;
}

export interface SlideFilter {
  state?: SlideState | null;
  verdict?: Answer | null;
  case?: string | null;
  review?: Agreement | "none" | null;
  sort?: "risk" | "name" | "case";
}

/** What was read at one place. */
export interface SlideTile {
  area: Box;
  probability: number | null;
  verdict: Answer | null;
  second: Answer | null;
  findings: Finding[];
  reasons: string[];
  problem: string | null;
}

/** Outlines of tissue that was not read, in pixels of level 0, and why. */
export interface UnreadTissue {
  type: "FeatureCollection";
  features: {
    type: "Feature";
    geometry:
      { type: "Polygon"; coordinates: Ring[] } | { type: "MultiPolygon"; coordinates: Ring[][] };
    properties: { reason: string };
  }[];
}
