import { texts as shared } from "../../texts";
import { percent } from "../../view/numbers";
import type { Region, Slide } from "../api/types";
import { area, timeLeft } from "../numbers";
import { slideTexts } from "../texts";
import type { Point } from "./geometry";

const many = (count: number, one: string, more: string): string =>
  `${count.toLocaleString("en")} ${count === 1 ? one : more}`;

/** Every English word of the slide's page, which is fetched with it. */
export const texts = {
  worklist: "Slides",
  unknown: "No such slide",
  unknownMeans:
    "No slide of this service has the id in this page's address: the address is cut or mistyped, or the slide's file was moved, renamed or taken away.",
  toWorklist: "To all slides",
  unnamed: (id: string) => `Slide ${id.slice(0, 8)}`,
  inCase: (name: string) => `Case ${name}`,
  opening: "Opening the slide",
  picture: (name: string) =>
    `${name}, enlarged. Arrow keys pan, plus and minus zoom, zero shows all.`,
  noPicture: "The picture of this slide cannot be shown.",
  lost: "Healer cannot be reached. This page goes on by itself once it answers.",

  layers: {
    title: "Layers",
    map: "Probability map",
    opacity: "Opacity of the map",
    regions: "Outlines of regions",
    unread: "Tissue not read",
    legend: (lower: number, upper: number) =>
      `Colours of the map, from 0 % to 100 %. No up to ${percent(lower)}, yes from ${percent(upper)}.`,
    legendPlain: "Colours of the map, from 0 % to 100 %",
    ends: ["0 %", "100 %"],
    grey: "Grey: not scored",
    noMap: "The map appears once the first tiles are read.",
  },

  measure: {
    title: "Measure a distance",
    how: "Drag, click two points, or put the cross on each and press L. Escape ends.",
    second: "Now the second point.",
    /** Micrometres, or null where the scale is not known. */
    between: (length: number | null, from: Point, to: Point) =>
      length === null
        ? `${Math.round(Math.hypot(to.x - from.x, to.y - from.y)).toLocaleString("en")} px`
        : lengthOf(length),
  },

  /** For a screen reader, once for each state; a reading each tenth of its way. */
  stateSaid: ({ state, verdict, unanswered, probability, progress }: Slide): string => {
    if (unanswered) return slideTexts.unanswered[unanswered];
    if (verdict !== null && probability !== null && state === "read")
      return `${shared.verdict.words[verdict]}, ${percent(probability)}`;
    if (state !== "reading" || !progress || progress.total === 0) return texts.state[state];
    return `${texts.state.reading}, ${Math.floor((10 * progress.done) / progress.total) * 10} %`;
  },

  state: {
    read: "Read",
    unread: "Not read yet",
    unreadMeans: "Healer has not read this slide. You can look at it meanwhile.",
    queued: "Waiting to be read",
    queuedMeans: "It is read as soon as the slides before it are done.",
    reading: "Being read",
    progress: (done: number, total: number) =>
      `${done.toLocaleString("en")} of ${many(total, "tile", "tiles")}`,
    speed: (tiles: number) => `${tiles.toFixed(tiles < 10 ? 1 : 0)} tiles/s`,
    left: (seconds: number) => `about ${timeLeft(seconds)} left`,
    cancelled: "Cancelled",
    cancelledMeans: "What was read is kept: a new start goes on from there.",
    failed: "Not read",
    stale: "This answer is out of date",
    start: "Read this slide",
    again: "Read again",
    goOn: "Go on reading",
    cancel: "Cancel reading",
    tryAgain: "Try again",
  },

  verdict: {
    sentence: "Answer",
    score: "Score of the slide",
    uncalibrated:
      "Not calibrated on slides: it ranks them, and is not the share of such slides that hold cancer.",
    firstVerdict: (words: string) => `The built-in model alone said: ${words}.`,
    positive: (mm2: number) => `${area(mm2)} of tissue in tiles that are a yes by themselves`,
    read: (share: number) => `${percent(share)} of the tissue read`,
  },

  coverage: {
    title: "What was read",
    account: "Account",
    mm2: "mm²",
    share: "Share",
    read: "read",
    excluded: (code: string) => `excluded: ${words(code)}`,
    unreadable: "unreadable in the file",
    unvisited: "not visited",
    all: "all tissue",
    least: (share: number) => `“No” needs ${percent(share)} read.`,
  },

  regions: {
    title: "Regions",
    none: "No region stands out.",
    noneYet: "No region has been found yet.",
    list: "Regions, the most suspicious first",
    /** `doubtful`: no tile of the slide is a yes by itself, and the doubtful ones were joined. */
    kind: ({ kind, mark }: Region, doubtful: boolean): string => {
      if (kind === "cancer") return doubtful ? "Doubtful: possible cancer" : "Suspected cancer";
      return mark === null ? "Suspected precursor" : `Suspected precursor: ${mark}`;
    },
    facts: (mm2: number, tiles: number) => `${area(mm2)}, ${many(tiles, "tile", "tiles")}`,
    peak: (peak: number) => `highest ${percent(peak)}`,
    more: (count: number) => `Show all ${count}`,
    next: "Next region",
    previous: "Previous region",
    selected: (number: number, of: number, what: string) => `Region ${number} of ${of}: ${what}`,
  },

  cascade: {
    title: "Second model",
    said: (model: string) => `${model} on this place`,
    opinions: {
      confirms: "confirms",
      doubts: "doubts",
      silent: "does not decide",
    } as Partial<Record<string, string>>,
    elsewhere: "Other places that it was shown",
    place: (number: number) => `Place ${number}`,
  },

  tile: {
    title: "Tile",
    fetching: "Fetching this tile",
    none: "No tile was read here.",
    notRead: (why: string) => `This tissue was not read: ${words(why)}.`,
    refused: (codes: readonly string[]) =>
      `The input gate left this tile out: ${codes.map(words).join(", ")}.`,
    problem: (code: string) => `This tile could not be read: ${words(code)}.`,
    second: "Dysplasia or cancer",
    at: (x: number, y: number) => `at ${x.toLocaleString("en")}, ${y.toLocaleString("en")} px`,
    close: "Close the tile's panel",
  },

  downloads: {
    title: "Downloads",
    report: "Report (PDF)",
    geojson: "Regions for QuPath (GeoJSON)",
    parquet: "All tiles (Parquet)",
    failed: "The file could not be fetched.",
  },

  provenance: {
    title: "Where this answer comes from",
    model: "Model",
    revision: "Revision",
    device: "Device",
    calibration: "Calibration of tiles",
    slideCalibration: "Calibration of slides",
    none: "none",
    rule: "Rule",
    thresholds: "Thresholds",
    cuts: (lower: number, upper: number) => `no to ${percent(lower)}, yes from ${percent(upper)}`,
    scale: "Scale",
    mpp: (x: number, y: number, source: string) =>
      `${Number(x.toFixed(4))}${x === y ? "" : ` × ${Number(y.toFixed(4))}`} µm/px (${source})`,
    size: "Size",
    pixels: (width: number, height: number) =>
      `${width.toLocaleString("en")} × ${height.toLocaleString("en")} px`,
    reader: "Reader",
    tiles: "Tiles",
    scored: (scored: number, visited: number) =>
      `${scored.toLocaleString("en")} scored of ${visited.toLocaleString("en")}`,
    version: "Healer",
    read: "Read",
  },

  keys: [
    ["N", "Next region"],
    ["P", "Previous region"],
    ["J", "Next slide, as the list has them"],
    ["K", "Previous slide"],
    ["← ↑ → ↓", "Pan, with the focus on the slide"],
    ["+ and −", "Zoom"],
    ["0", "Show all"],
    ["T", "The tile under the cross in the middle"],
    ["L", "Measure: a point under the cross"],
    ["A", "Agree with the selected region, or with the slide where none is"],
    ["D", "Disagree with it"],
    ["S", "Save your word on it"],
    ["M", "Show or hide the map"],
    ["[ and ]", "Map fainter or stronger"],
    ["O", "Show or hide outlines of regions"],
    ["U", "Show or hide tissue not read"],
    ["R", "Read the slide; go on; read it again where its answer is out of date"],
    ["F", "Full screen"],
    ["G", "Report (PDF)"],
    ["Escape", "End measuring, close the tile's panel, then back to all slides"],
    ["?", "This list"],
  ] as readonly (readonly [string, string])[],
};

function lengthOf(micrometres: number): string {
  return micrometres >= 1000
    ? `${(micrometres / 1000).toFixed(2)} mm`
    : `${micrometres.toFixed(1)} µm`;
}

/** A code as it is said: `pen_mark` is "pen mark". */
function words(code: string): string {
  return code.replaceAll("_", " ");
}
