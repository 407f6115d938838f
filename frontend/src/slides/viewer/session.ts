import { create } from "zustand";

import type { Problem } from "../../api/types";
import type { Region, SlideDetail, SlideTile, UnreadTissue } from "../api/types";
import type { Point } from "./geometry";
import type { Pyramid } from "./pyramid";
import type { Stage, StageView } from "./stage";

export interface Layers {
  map: boolean;
  /** Of the map, from 0 to 1. */
  opacity: number;
  regions: boolean;
  unread: boolean;
}

export type TileContent =
  | { is: "fetching" }
  | { is: "read"; tile: SlideTile }
  | { is: "none"; reason: string | undefined }
  | { is: "failed"; sentence: string };

/** What a click on the slide wanted, and what came of it. */
export type TileAnswer = { at: Point } & TileContent;

export interface SlideSession {
  id: string;
  slide: SlideDetail | null;
  /** Why there is no slide to show, or why it could not be started. */
  problem: Problem | null;
  lost: boolean;
  regions: readonly Region[];
  unread: UnreadTissue | null;
  /** Of the map that is to be shown; null where nothing was read. */
  mapVersion: number | null;
  /** Whether the map, of whatever version, has been fetched. */
  hasMap: boolean;
  /** The place in `regions`. */
  selected: number | null;
  tile: TileAnswer | null;
  layers: Layers;
  measuring: boolean;
  line: readonly Point[];
  pointer: Point | null;
  view: StageView | null;
  stage: Stage | null;
  /** Of the slide itself. */
  pyramid: Pyramid | null;
}

const NOTHING: Omit<SlideSession, "id" | "layers"> = {
  slide: null,
  problem: null,
  lost: false,
  regions: [],
  unread: null,
  mapVersion: null,
  hasMap: false,
  selected: null,
  tile: null,
  measuring: false,
  line: [],
  pointer: null,
  view: null,
  stage: null,
  pyramid: null,
};

/** The slide that is open. What is chosen of layers holds for the next one too. */
export const useSlideSession = create<SlideSession>(() => ({
  id: "",
  layers: { map: true, opacity: 0.7, regions: true, unread: true },
  ...NOTHING,
}));

export const getSlide = useSlideSession.getState;
export const setSlide = useSlideSession.setState;

export function resetSlide(id: string): void {
  setSlide({ ...NOTHING, id });
}

export function setLayers(change: Partial<Layers>): void {
  setSlide(({ layers }) => ({ layers: { ...layers, ...change } }));
}

/** Whether no tile is a yes by itself: its regions are then of doubtful tiles. */
export function isDoubtful(slide: SlideDetail | null): boolean {
  return slide?.answer?.scores.positive_tiles === 0;
}
