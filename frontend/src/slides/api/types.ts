import type { components, operations } from "../../api/schema";

type Schemas = components["schemas"];

export type Slide = Schemas["SlideSummary"];
export type SlideState = Slide["state"];
/** Why a slide has no answer although it was read to its end. */
export type Unanswered = NonNullable<Slide["unanswered"]>;
export type Progress = Schemas["ReadingProgress"];
/** Micrometres per pixel of level 0, and who stated them. */
export type SlideScale = Schemas["SlideScale"];

export type SlideReview = Schemas["SlideReviewKept"];
export type Agreement = SlideReview["agreement"];
export type Diagnosis = NonNullable<SlideReview["diagnosis"]>;
export const DIAGNOSES = [
  "normal",
  "hyperplastic",
  "low_grade",
  "high_grade",
  "adenocarcinoma",
  "other",
] as const satisfies readonly Diagnosis[];

/** In pixels of level 0, as all that follows. */
export type Box = Schemas["SlideBox"];
export type Ring = [number, number][];
export type Region = Schemas["SlideRegion"];
/** A place that a second model was shown. */
export type Patch = Schemas["SlidePatch"];
/** What `slide.json` says, without the slide's name. */
export type SlideAnswer = Schemas["SlideAnswerOut"];
export type SlideDetail = Schemas["SlideDetail"];
/** What was read at one place. */
export type SlideTile = Schemas["SlideTile"];

export type Case = Schemas["SlideCase"];
export type StateCounts = Schemas["StateCounts"];
export type ReadingQueue = Schemas["ReadingQueue"];
export type SlideList = Schemas["SlideList"];
/** What has changed of the list, as the service reports it to those who follow. */
export interface ListNews {
  /** Null where any of them may have changed. */
  slides: string[] | null;
  reading: { id: string; progress: Progress | null } | null;
  queue: ReadingQueue;
}
export type SlideFilter = Omit<
  NonNullable<operations["list_slides_slides_get"]["parameters"]["query"]>,
  "page" | "per_page"
>;

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
