import type { Answer } from "../api/types";
import { texts } from "../texts";
import type { KeyList } from "../view/shortcuts";
import { percent } from "../view/numbers";
import type { Agreement, Case, Diagnosis, Slide, SlideState, Unanswered } from "./api/types";
import { area, timeLeft } from "./numbers";

const many = (count: number, one: string, more = `${one}s`): string =>
  `${count} ${count === 1 ? one : more}`;
const slides = (count: number): string => many(count, "slide");
const words = texts.verdict.words;

/** English words on the pages of slides, beside those in `../texts`. */
export const slideTexts = {
  title: "Slides",
  nameless: (id: string) => `Slide ${id.slice(0, 8)}`,

  states: {
    unread: "Not read",
    queued: "Waiting",
    reading: "Reading",
    read: "Read",
    stale: "Out of date",
    failed: "Failed",
    cancelled: "Cancelled",
  } satisfies Record<SlideState, string>,
  unanswered: {
    no_tissue: "No tissue found",
    nothing_read: "No tissue could be read",
  } satisfies Record<Unanswered, string>,
  noScale: (sources: string) =>
    `The slide does not state how many micrometres one pixel covers (${sources}). State it in the field “µm per pixel”. A scanner's 40x is commonly 0.25, its 20x 0.5; look it up rather than guess.`,
  scalesContradict: (sources: string) =>
    `The slide states several resolutions that cannot all be true (${sources}). State the right one in the field “µm per pixel”.`,
  reading: (done: number, total: number, seconds: number | null) =>
    [
      `Reading, ${total > 0 ? Math.round((100 * done) / total) : 0} %`,
      ...(seconds === null ? [] : [`${timeLeft(seconds)} left`]),
    ].join(", "),
  uncalibratedMeans: "Not calibrated: read it as a rank among slides, not as a chance.",
  staleMeans: (reason: string | null) =>
    reason ?? "The model, its calibration or the file is another than when this was read.",
  cancelledMeans: "What was read stays. Reading it again goes on from there.",
  unreadMeans: "This slide has not been read yet.",
  queuedMeans: "This slide waits for its turn.",

  progress: {
    title: (read: number, all: number) => `${read} of ${slides(all)} read`,
    failed: (count: number) => `${count} failed`,
    left: (seconds: number) => `about ${timeLeft(seconds)} left`,
    waiting: (count: number) => `${count} to go`,
    paused: "paused",
    finished: (read: number, failed: number) =>
      `All slides are finished: ${read} read, ${failed} failed.`,
    readAll: (count: number) => `Read all ${count}`,
    retryFailed: (count: number) => `Try ${count} failed again`,
    pause: "Pause",
    resume: "Go on",
    cancelAll: "Cancel all",
  },

  filters: {
    title: "Filter and sort",
    all: "All",
    verdict: "Verdict",
    anyVerdict: "Any",
    review: "Reader",
    reviews: {
      any: "Any",
      disagree: "Disagreement",
      agree: "Agreement",
      none: "No word yet",
    },
    sort: "Sort",
    sortings: { risk: "Most suspicious first", case: "By case", name: "By name" },
    nothingFits: "No slide fits this filter.",
    showAll: "Show all",
  },

  empty: {
    title: "No slides here",
    detail:
      "The folder that HEALER_SLIDES names holds no file that is named like a slide. What is added to it appears here by itself.",
    off: "Slides are off",
    loading: "Fetching the slides",
    again: "Try again",
  },

  row: {
    figures: (positive: number | null, share: number | null) =>
      [
        ...(positive === null ? [] : [`${area(positive)} positive`]),
        ...(share === null ? [] : [`${percent(share)} of tissue read`]),
      ].join(" · "),
    loading: "Fetching this slide",
  },

  panel: {
    label: "Selected slide",
    open: "Open slide",
    openShort: "Open",
    read: "Read",
    again: "Read again",
    cancel: "Cancel",
    report: "PDF report",
    none: "Choose a slide in the list.",
    verdict: "Verdict",
    second: "Dysplasia or cancer",
    positive: "Positive tissue",
    coverage: "Tissue read",
    coverageOf: (share: number, mm2: number | null) =>
      mm2 === null ? percent(share) : `${percent(share)} of ${area(mm2)}`,
    regions: "Suspicious regions",
    scale: "Scale",
    mpp: (x: number, source: string) => `${Number(x.toFixed(4))} µm/px, from ${source}`,
    updated: "Read",
    about: (name: string, state: string) => `${name}: ${state}`,
  },

  scale: {
    title: "Which scale does this slide have?",
    label: "µm per pixel",
    hint: "Ask those who scanned it, or read it in the scanner's software. A wrong scale makes a wrong answer; nothing is guessed.",
    all: (others: number) => `Use it for ${slides(others)} more that state no usable scale`,
    go: "Use it and read",
  },

  cases: {
    title: (name: string) => `Case ${name}`,
    none: "No case",
    summary: ({ slides: count, read, worst_verdict, disagreements }: Case) =>
      [
        slides(count),
        `${read} read`,
        ...(worst_verdict ? [`worst: ${words[worst_verdict]}`] : []),
        ...(disagreements > 0 ? [many(disagreements, "disagreement")] : []),
      ].join(" · "),
    tiles: (count: number, worst: Answer | null, disagreements: number) =>
      [
        `${many(count, "tile")} of this session`,
        ...(worst ? [`worst: ${words[worst]}`] : []),
        ...(disagreements > 0 ? [many(disagreements, "disagreement")] : []),
      ].join(", "),
    only: "Only this case",
    all: "All cases",
  },

  review: {
    title: "Your word",
    ofRegion: (rank: number) => `Your word on region ${rank}`,
    agree: "Agree",
    disagree: "Disagree",
    diagnosis: "Your diagnosis",
    noDiagnosis: "None",
    diagnoses: {
      normal: "Normal",
      hyperplastic: "Hyperplastic",
      low_grade: "Low-grade dysplasia",
      high_grade: "High-grade dysplasia",
      adenocarcinoma: "Adenocarcinoma",
      other: "Other",
    } satisfies Record<Diagnosis, string>,
    note: "Note",
    placeholder: "Must not name the patient; goes into the service's log",
    save: "Save",
    again: "Try again",
    needsAgreement: "Choose Agree or Disagree, then Save.",
    unsaved: "Not saved yet.",
    saving: "Adding your word to the service's log.",
    saved: "Your word is in the service's log. Another one stands beside it.",
    lost: "Healer cannot be reached. Your word is sent once it answers.",
    earlier: "Earlier words",
    words: { agree: "agrees", disagree: "disagrees" } satisfies Record<Agreement, string>,
    you: { agree: "reader agrees", disagree: "reader disagrees" } satisfies Record<
      Agreement,
      string
    >,
    reader: "A reader",
    region: (rank: number) => `region ${rank}`,
    export: "Export words (CSV)",
  },

  /** Shortcuts of the worklist, for the help. */
  keys: [
    ["J or ↓", "Next slide"],
    ["K or ↑", "Previous slide"],
    ["Enter", "Open the slide"],
    ["R", "Read the slide"],
    ["Delete", "Cancel its reading"],
    ["P", "Pause all reading, or go on"],
    ["A", "Agree"],
    ["D", "Disagree"],
    ["N", "Write a note"],
    ["S or Ctrl+Enter", "Save your word"],
    ["?", "This list"],
  ] satisfies KeyList,

  answered: (slide: Slide, name: string): string =>
    slide.verdict && slide.probability !== null
      ? `${name}: ${words[slide.verdict]}, ${percent(slide.probability)}`
      : `${name}: ${slide.unanswered ? slideTexts.unanswered[slide.unanswered] : slideTexts.states[slide.state]}`,
};
