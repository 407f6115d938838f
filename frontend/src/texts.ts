import type { Answer, Mark } from "./api/types";
import type { Failure } from "./session/item";
import type { Category, Sorting } from "./session/worklist";
import { duration, megabytes, megapixels, ordinal, percent } from "./view/numbers";

const many = (count: number, one: string, more: string): string =>
  `${count} ${count === 1 ? one : more}`;
const tiles = (count: number): string => many(count, "tile", "tiles");
const list = new Intl.ListFormat("en", { type: "disjunction" });
const failure = (code: string, title: string, detail: string): Failure => ({
  code,
  title,
  detail,
  canRetry: true,
});
/** What a picture is refused for stays with the picture. */
const unfit = (code: string, title: string, detail: string): Failure => ({
  code,
  title,
  detail,
  canRetry: false,
});
const FORMAT_NAMES: Partial<Record<string, string>> = { WEBP: "WebP" };
const formats = (names: readonly string[]): string =>
  list.format(names.map((name) => FORMAT_NAMES[name] ?? name));

/** Every English word on the page. A translation is another object of this shape. */
export const texts = {
  name: "Healer",
  question: "Is colorectal cancer present in this H&E tile?",
  notice: "Research use only: Healer is not a medical device and must not guide diagnosis or care.",
  skip: "Skip to the result",
  pagesOfApp: { title: "Pages", tiles: "Tiles", slides: "Slides", opening: "Opening the page" },

  intake: {
    invite: "Drop H&E tiles here",
    how: "One tile, many, or whole folders. You can also paste a picture.",
    choose: "Choose tiles",
    folder: "Choose a folder",
    photograph: "Take a photograph",
    more: "Add tiles",
    release: "Release to add these tiles",
    limits: (names: readonly string[], bytes: number, pixels: number) =>
      `${formats(names)}, up to ${megabytes(bytes)} and ${megapixels(pixels)} each`,
    skippedFiles: (count: number) =>
      count === 0
        ? ""
        : `${many(count, "file that is no picture was", "files that are no pictures were")} left out.`,
    privacy: "Where your tiles go",
    facts: [
      [
        "Sent only to the Healer that served this page.",
        "It looks at them in memory and stores none; their names are not sent.",
      ],
      [
        "Kept only while this tab is open.",
        "Closing or reloading it forgets tiles, answers and notes, unless you ask this browser to keep them.",
      ],
      [
        "A picture that cannot be judged is refused.",
        "Too small, blurred, without tissue, or no H&E: you are told which, and get no false “no”.",
      ],
    ],
  },

  keep: {
    label: "Keep in this browser",
    yes: "Tiles, answers and notes stay in this browser, on this computer, until you clear them.",
    no: "Tiles, answers and notes are forgotten when this tab closes or reloads.",
    refused:
      "This browser does not let the page keep anything, or has no room left. Tiles, answers and notes stay only until this tab closes: export what you need.",
  },

  pages: {
    several: (count: number) => `This file has ${count} pages. One page is answered at a time.`,
    choose: "Page",
    page: (number: number) => `Page ${number}`,
    answer: "Answer this page",
  },

  verdict: {
    words: { yes: "Yes", no: "No", indeterminate: "Indeterminate" } satisfies Record<
      Answer,
      string
    >,
    sentences: {
      yes: "The model reads colorectal cancer as present in this tile.",
      no: "The model reads colorectal cancer as not present in this tile.",
      indeterminate: "Neither answer is reliable for this tile.",
    } satisfies Record<Answer, string>,
    probability: "Probability of colorectal cancer",
    calibrated: "calibrated",
    uncalibrated: "not calibrated",
    uncalibratedMeans: "Not calibrated: read it as a rank among tiles, not as a chance.",
    because: (reason: string) =>
      `${reason.charAt(0).toUpperCase()}${reason.slice(1)}`.replace(/\.?$/, "."),
    scale: (probability: number, lower: number, upper: number) =>
      lower < upper
        ? `${percent(probability)}. No up to ${percent(lower)}, yes from ${percent(upper)}, indeterminate between.`
        : `${percent(probability)}. No below ${percent(upper)}, yes from there.`,
    zones: { no: "No", indeterminate: "Indeterminate", yes: "Yes" },
    explanation: "Explanation",
    findings: "Class probabilities",
    gate: "What the input gate found",
    gateOverridden: "You asked for an answer anyway.",
    againstAdvice: "Answered against the input gate's advice",
    againstAdviceShort: "Against the gate's advice",
    likely: {
      "high-grade": "High-grade neoplasia likely",
      "low-grade": "Low-grade neoplasia likely",
      serrated: "Serrated adenoma likely",
    } satisfies Record<Mark, string>,
    likelyShort: {
      "high-grade": "High-grade likely",
      "low-grade": "Low-grade likely",
      serrated: "Serrated likely",
    } satisfies Record<Mark, string>,
    second: "Dysplasia or cancer",
    warnings: "About this picture",
    warned: {
      wide_field: "A wide field, read window by window",
      unlike_training: "Unlike the tissue that the model was trained on",
      whole_slide: "A whole slide, answered as one picture",
    } as Partial<Record<string, string>>,
    warnedOtherwise: "Answered with a warning: see below",
    warnedShort: {
      wide_field: "Wide field",
      unlike_training: "Unlike training",
      whole_slide: "Whole slide",
    } as Partial<Record<string, string>>,
    warnedShortOtherwise: "With a warning",
    positiveWindows: ({ yes, of }: { yes: number; of: number }) =>
      `${yes} of ${many(of, "window", "windows")} ${yes === 1 ? "is" : "are"} read as cancer`,
    hiddenWindowsShort: ({ yes, of }: { yes: number; of: number }) =>
      `${yes} of ${many(of, "window", "windows")} yes`,
    sameAs: (name: string) => `The same file, byte for byte, as ${name}.`,
  },

  windows: {
    title: "Window by window",
    show: "Show windows",
    summary: (yes: number, indeterminate: number, no: number, highest: number) =>
      `${many(yes + indeterminate + no, "window", "windows")}: ${yes} yes, ${indeterminate} indeterminate, ${no} no. The highest probability is ${percent(highest)}.`,
    all: "All windows, the highest first",
    one: (x: number, y: number, width: number, height: number) =>
      `${width} × ${height} px at ${x}, ${y}`,
  },

  phase: {
    checking: "Checking",
    waiting: (place: number) =>
      place === 1 ? "Next in line" : `Waiting, ${ordinal(place)} in line`,
    paused: "Waiting for the service",
    uploading: (share: number) => `Uploading, ${Math.round(share * 100)} %`,
    queued: (position: number) => `At the service, ${ordinal(position)} in line`,
    processing: "Reading the tile",
    processingFor: (seconds: number) => `Reading the tile, ${seconds} s`,
    explaining: "Writing the explanation",
    cancelled: "Cancelled",
    cancelledMeans: "This tile was not answered. Nothing of it is left at the service.",
    cancelledLate: "The verdict stands. Its explanation was not waited for.",
    wait: "The verdict appears here as soon as it is known; the explanation follows.",
  },

  provenance: {
    title: "Where this answer comes from",
    model: "Model",
    engine: "Engine",
    revision: "Revision",
    adapter: "Adapter",
    device: "Device",
    precision: "Precision",
    calibration: "Calibration",
    none: "none",
    thresholds: "Thresholds",
    cuts: (lower: number, upper: number) => `no to ${percent(lower)}, yes from ${percent(upper)}`,
    time: "Time taken",
    stages: (score: number | undefined) =>
      score === undefined ? "" : ` (model ${duration(score)})`,
    tile: "Tile",
    pixels: (width: number, height: number) => `${width} × ${height} px`,
    mpp: (mpp: number) => `, ${Number(mpp.toFixed(3))} µm/px`,
    page: (page: number) => `, page ${page}`,
    noScale: ", scale not in the file",
    request: "Request",
    full: (precision: string, quantization: string) =>
      quantization === "none" ? precision : `${precision}, ${quantization} weights`,
  },

  review: {
    title: "Your reading",
    agree: "Agree",
    disagree: "Disagree",
    note: "Note",
    placeholder: "For your export and report; not sent anywhere",
    case: "Case",
    casePlaceholder: "Counts it with slides of this case; not sent",
    log: {
      none: "This service logs its answers. Agree or Disagree is added to that log; your note is not.",
      sending: "Adding your reading to the service's log",
      kept: "Your reading is in the service's log. It stays there; marking again adds another line.",
    },
    lost: "Healer could not be reached, and your reading is not in its log yet.",
  },

  worklist: {
    title: "Worklist",
    progress: (answered: number, all: number) => `${answered} of ${tiles(all)} finished`,
    filters: {
      all: "All",
      yes: "Yes",
      indeterminate: "Indeterminate",
      no: "No",
      failed: "Not answered",
      open: "In progress",
      "high-grade": "High-grade likely",
      "low-grade": "Low-grade likely",
      serrated: "Serrated likely",
      against_advice: "Against advice",
      warned: "With a warning",
      hidden_windows: "Some windows yes",
      duplicate: "Duplicates",
    } satisfies Record<Category, string>,
    sort: "Sort",
    sortings: {
      added: "As added",
      name: "Name",
      likeliest: "Most likely first",
      unlikeliest: "Least likely first",
    } satisfies Record<Sorting, string>,
    range: "Probability in %",
    least: "From",
    most: "to",
    nothingFits: "No tile fits this filter.",
    showAll: "Show all",
    cancelAll: "Cancel all",
    retryAll: "Try all again",
    csv: "CSV",
    json: "JSON",
    exportAs: "Export as",
    clear: "Clear all",
    clearSure: (count: number) => `Clear ${tiles(count)}, their answers and your notes?`,
    clearMeans: "Undo brings them back until you close its message or this tab.",
    clearYes: "Clear all",
    clearNo: "Go back",
    marked: { agree: "you agree", disagree: "you disagree" },
    duplicate: "Duplicate",
    answered: (
      name: string,
      verdict: Answer,
      probability: number,
      further: readonly string[],
    ): string =>
      [`${name}: ${texts.verdict.words[verdict]}, ${percent(probability)}`, ...further].join(". "),
    finished: (yes: number, indeterminate: number, no: number, failed: number) =>
      `Finished: ${yes} yes, ${indeterminate} indeterminate, ${no} no, ${failed} not answered.`,
  },

  action: {
    cancel: "Cancel",
    retry: "Try again",
    warn: "Answer anyway",
    remove: "Remove",
    removed: (names: readonly string[]) =>
      `Removed: ${names.length === 1 ? names[0] : tiles(names.length)}`,
    undo: "Undo",
    report: "PDF report",
    compare: "Compare",
    stopComparing: "Stop comparing",
    back: "Worklist",
    previous: "Previous tile",
    next: "Next tile",
    close: "Close",
    of: (action: string, name: string) => `${action}: ${name}`,
  },

  compare: {
    reference: "Compared with",
    choose: "Choose another tile in the worklist to see it beside this one.",
    link: "Zoom and pan together",
  },

  viewer: {
    label: (name: string) =>
      `${name}, enlarged. Arrow keys pan, plus and minus zoom, zero shows all.`,
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    home: "Show all",
    full: "Full screen",
    leaveFull: "Leave full screen",
    loading: "Opening the picture",
    none: "No preview of this file.",
    cannotDraw: "This browser cannot draw this picture. The service may still read it.",
    micrometres: (length: number) => (length >= 1000 ? `${length / 1000} mm` : `${length} µm`),
  },

  service: {
    title: "Service",
    checking: "Checking",
    ready: "Ready",
    loading: "Not ready",
    lost: "Not reached",
    lostDetail:
      "Healer cannot be reached. Check that it is running. Your tiles are safe in this tab and go on by themselves once it answers.",
    loadingDetail: (reason: string) =>
      `Healer is not ready: ${reason}. Your tiles wait and go on by themselves.`,
    paused: (why: string, seconds: number) => `${why} Trying again in ${seconds} s.`,
    now: "Try now",
    why: "Why this engine",
    version: "Version",
    warnings: "Warnings",
  },

  key: {
    label: "API key",
    use: "Use it",
    wanted:
      "This service answers only those who have an API key: ask its operator for one. Your tiles wait and go on by themselves. The key is kept until this tab is closed.",
  },

  theme: { title: "Appearance", system: "As the system", light: "Light", dark: "Dark" },

  help: {
    title: "Keyboard",
    single: "Single-key shortcuts",
    keys: [
      ["J or ↓", "Next tile"],
      ["K or ↑", "Previous tile"],
      ["O", "Choose tiles"],
      ["A", "Agree"],
      ["D", "Disagree"],
      ["N", "Write a note"],
      ["C", "Compare with other tiles"],
      ["R", "Try again"],
      ["P", "PDF report"],
      ["F", "Full screen"],
      ["W", "Show or hide windows"],
      ["Delete", "Remove the tile, or cancel it"],
      ["Ctrl+Z", "Bring back what was removed"],
      ["Ctrl+V", "Paste a picture"],
      ["?", "This list"],
    ] as readonly (readonly [string, string])[],
  },

  pageError: {
    title: "The page has failed",
    detail: "Your tiles, answers and notes are still here.",
    again: "Show the page again",
  },

  report: {
    title: "Healer: one tile",
    made: (when: string) => `Made ${when}`,
    reading: "Reader",
    unread: "not marked",
    second: (verdict: Answer, probability: number, calibrated: boolean): string =>
      `${texts.verdict.second}: ${texts.verdict.words[verdict]}, ${percent(probability)} (${calibrated ? texts.verdict.calibrated : texts.verdict.uncalibrated})`,
    failed: "The report could not be made. Check that Healer is running, then try again.",
  },

  failure: {
    empty: unfit(
      "empty_file",
      "The file is empty",
      "The file holds no bytes. Choose the picture again.",
    ),
    tooManyBytes: (size: number, limit: number) =>
      unfit(
        "too_many_bytes",
        "The file is too large",
        `The file has ${megabytes(size)}; at most ${megabytes(limit)} are read. Choose a smaller field of view, or ask the operator to raise HEALER_MAX_BYTES. Whole slides are answered where they lie in the folder HEALER_SLIDES, and by healer slide.`,
      ),
    tooManyPixels: (width: number, height: number, limit: number) =>
      unfit(
        "too_many_pixels",
        "The image has too many pixels",
        `The image is ${width} × ${height} pixels; at most ${megapixels(limit)} are read. Choose one field of view, or ask the operator to raise HEALER_MAX_PIXELS. Whole slides are answered where they lie in the folder HEALER_SLIDES, and by healer slide.`,
      ),
    otherFormat: (names: readonly string[]) =>
      unfit(
        "not_an_image",
        "Not a picture that Healer reads",
        `Choose ${formats(names)}. Other formats can be exported as one of these.`,
      ),
    lostTwice: failure(
      "lost",
      "The connection was lost twice",
      "Healer went away twice while this tile was with it. Try again, or look into its log.",
    ),
    stillRefused: (code: string, why: string, times: number) =>
      failure(
        code,
        `Not answered after ${times} tries`,
        `${why} The other tiles go on without this one. Try it again later, or tell the operator.`,
      ),
    explanationLost: failure(
      "lost",
      "The explanation did not arrive",
      "The connection was lost after the verdict. Try again for the explanation.",
    ),
    unworded: (status: number) =>
      failure(
        `http_${status}`,
        "The service did not answer as Healer does",
        `Something between this page and Healer answered with status ${status}. Try again, or tell the operator.`,
      ),
  },
};
