import { exportName, saveFile } from "../../export/download";
import { sentenceOf } from "../../session/problems";
import { SLIDE_PATHS } from "../api/paths";
import { requestBlob, type Result } from "../api/request";
import { fetchTile } from "../api/slides";
import type { Box, SlideTile } from "../api/types";
import { navigate, slideHref } from "../route";
import { selectSlide, slideBeside } from "../worklist/store";
import { contains, type Point, reasonAt } from "./geometry";
import { getSlide, setSlide, type TileContent } from "./session";
import { texts } from "./texts";

const NO_TILE = "no_tile_here";

/** Select a region by its place and go to it. */
export function openRegion(at: number): void {
  const { regions, stage } = getSlide();
  const region = regions[at];
  if (!region) return;
  setSlide({ selected: at });
  stage?.goTo(region.box);
}

/** The next (1) or previous (-1) region; round and round. */
export function stepRegion(by: 1 | -1): void {
  const { regions, selected } = getSlide();
  if (regions.length === 0) return;
  const from = selected ?? (by === 1 ? -1 : 0);
  openRegion((from + by + regions.length) % regions.length);
}

/** To the next (1) or previous (-1) slide, as the worklist has them. */
export async function stepSlide(by: 1 | -1): Promise<void> {
  const { id } = getSlide();
  const slide = await slideBeside(id, by);
  if (!slide || slide.id === id || getSlide().id !== id) return;
  selectSlide(slide.id);
  navigate(slideHref(slide.id));
}

export function goTo(box: Box): void {
  getSlide().stage?.goTo(box);
}

/** What a click means: a point of the line while measuring, the tile there otherwise. */
export function clickAt(point: Point): void {
  if (getSlide().measuring) addPoint(point);
  else void fetchTileAt(point);
}

/** Two points are a line; a third begins another. */
export function addPoint(point: Point): void {
  setSlide(({ line }) => ({
    measuring: true,
    tile: null,
    line: line.length === 1 ? [...line, point] : [point],
    pointer: null,
  }));
}

/** While measuring, dragging draws a line; whether it was one, and the slide is to stay where it is. */
export function dragLine(from: Point, to: Point, finished: boolean): boolean {
  if (!getSlide().measuring) return false;
  setSlide({ line: finished ? [from, to] : [from], pointer: finished ? null : to });
  return true;
}

export function toggleMeasuring(): void {
  setSlide(({ measuring }) => ({ measuring: !measuring, tile: null, line: [], pointer: null }));
}

export function middle(): Point | null {
  const { view } = getSlide();
  return view && { x: view.x, y: view.y };
}

/** What was read at a point; a region that holds it is selected. */
export async function fetchTileAt(at: Point): Promise<void> {
  const { id, regions, slide } = getSlide();
  if (!slide?.size || !isOn(slide.size, at)) return;
  const region = regions.findIndex(({ outline }) => contains(outline, at));
  setSlide({ tile: { at, is: "fetching" }, ...(region >= 0 && { selected: region }) });
  const result = await fetchTile(id, at.x, at.y);
  const session = getSlide();
  if (session.id !== id || session.tile?.at !== at) return; // another was wanted meanwhile
  setSlide({ tile: { at, ...answerOf(result, reasonAt(session.unread, at)) } });
}

function answerOf(result: Result<SlideTile>, reason: string | undefined): TileContent {
  if (result.is === "answered") return { is: "read", tile: result.value };
  if (result.is === "lost") return { is: "failed", sentence: texts.lost };
  if (result.problem.code === NO_TILE) return { is: "none", reason };
  return { is: "failed", sentence: sentenceOf(result.problem) };
}

function isOn([width, height]: readonly [number, number], { x, y }: Point): boolean {
  return x >= 0 && y >= 0 && x < width && y < height;
}

/** One thing at a time: measuring, then the tile's panel; false where there is nothing to end. */
export function endOne(): boolean {
  const { measuring, tile } = getSlide();
  if (measuring) setSlide({ measuring: false, line: [], pointer: null });
  else if (tile) setSlide({ tile: null });
  else return false;
  return true;
}

const FILES = {
  report: [SLIDE_PATHS.report, "slide-report", "pdf"],
  geojson: [SLIDE_PATHS.regionsGeojson, "slide-regions", "geojson"],
  parquet: [SLIDE_PATHS.tilesParquet, "slide-tiles", "parquet"],
} as const;

export type SlideFile = keyof typeof FILES;

/** Fetch a file with the key and give it to the person; says why it could not be. */
export async function saveSlideFile(file: SlideFile): Promise<string | null> {
  const [path, kind, extension] = FILES[file];
  const result = await requestBlob(path(getSlide().id));
  if (result.is === "answered") {
    saveFile(result.value, exportName(kind, extension));
    return null;
  }
  return result.is === "lost" ? texts.lost : sentenceOf(result.problem);
}
