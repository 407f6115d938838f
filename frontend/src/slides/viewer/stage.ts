import OpenSeadragon from "openseadragon";

import { keyHeaders } from "../../api/key";
import { openViewer } from "../../viewer/openViewer";
import type { Box } from "../api/types";
import type { SlideView } from "../route";
import type { Point } from "./geometry";
import { coarser, firstLevel, type Pyramid } from "./pyramid";

/** What part of the slide is on the screen, and how large that screen is. */
export interface StageView extends SlideView {
  width: number;
  height: number;
}

export interface StageHandlers {
  onView(view: StageView): void;
  onClick(point: Point): void;
  /** Whether the drag was for something else than moving the slide. */
  onDrag(from: Point, to: Point, finished: boolean): boolean;
  /** The pointer, in pixels of level 0. */
  onPointer(point: Point): void;
}

/** Of the screen's shorter side: a region's own, when it is gone to. */
const REGION_SHARE = 0.6;
const CLOSEST_LOOK = 1; // screen pixels for each of level 0, when a region is gone to
const PAN_STEP = 80;
const MAP_MPP = 4; // a tile of the map is 224 µm: finer levels show nothing more

/** It warns of each tile that comes after its map was replaced by a newer one, which is as it should be. */
(OpenSeadragon as unknown as { console: Partial<Console> }).console = {
  ...console,
  warn: () => undefined,
};

/** The slide's picture and its map in OpenSeadragon. All places are pixels of level 0. */
export class Stage {
  private viewer: OpenSeadragon.Viewer;
  private slide: Pyramid;
  private map: OpenSeadragon.TiledImage | undefined;
  /** Where to go once there is a picture. */
  private whenOpen: (() => void) | undefined;
  private newestMap: Pyramid | undefined;
  private mapIsLoading = false;
  private closed = false;
  private mapOpacity = 0;
  private mapLevelsLeftOut: number;
  private tracker: OpenSeadragon.MouseTracker;

  constructor(
    element: HTMLElement,
    label: string,
    slide: Pyramid,
    first: SlideView | null,
    mpp: number | null,
    handlers: StageHandlers,
  ) {
    this.slide = slide;
    this.mapLevelsLeftOut = mpp === null ? 0 : Math.max(0, Math.floor(Math.log2(MAP_MPP / mpp)));
    this.viewer = openViewer(element, label, {
      tileSources: sourceOf(slide),
      loadTilesWithAjax: true, // so that the key goes with them
      ajaxHeaders: keyHeaders(),
      maxZoomPixelRatio: 8,
      imageLoaderLimit: 6,
      pixelsPerArrowPress: PAN_STEP,
    });
    if (first) this.show(first, true);
    this.viewer.addOnceHandler("open", () => {
      this.whenOpen?.();
    });
    let before = "";
    this.viewer.addHandler("update-viewport", () => {
      const view = this.view();
      const now = Object.values(view).join();
      if (now !== before) handlers.onView(view); // it is drawn for each tile that comes, too
      before = now;
    });
    this.viewer.addHandler("canvas-click", (event) => {
      if (event.quick) handlers.onClick(this.pointAt(event.position));
    });
    this.handOnDrags(handlers);
    this.tracker = new OpenSeadragon.MouseTracker({
      element: this.viewer.container,
      moveHandler: (event) => {
        handlers.onPointer(this.pointAt((event as { position: OpenSeadragon.Point }).position));
      },
    });
  }

  private handOnDrags(handlers: StageHandlers): void {
    let from: Point | undefined;
    this.viewer.addHandler("canvas-press", ({ position }) => {
      from = this.pointAt(position);
    });
    this.viewer.addHandler("canvas-drag", (event) => {
      if (from)
        event.preventDefaultAction = handlers.onDrag(from, this.pointAt(event.position), false);
    });
    this.viewer.addHandler("canvas-drag-end", (event) => {
      const taken = from !== undefined && handlers.onDrag(from, this.pointAt(event.position), true);
      Object.assign(event, { preventDefaultAction: taken }); // which its types do not know
    });
  }

  close(): void {
    this.closed = true;
    this.tracker.destroy();
    this.viewer.destroy();
  }

  view(): StageView {
    const { x: width, y: height } = this.viewer.viewport.getContainerSize();
    const { x, y } = this.viewer.viewport.getCenter(true);
    const z = (this.viewer.viewport.getZoom(true) * width) / this.slide.width;
    return { x: x * this.slide.width, y: y * this.slide.width, z, width, height };
  }

  show(view: SlideView, immediately = false): void {
    if (!this.viewer.isOpen()) {
      this.whenOpen = () => {
        this.show(view, immediately);
      };
      return;
    }
    const { x, y, z } = view;
    const { viewport } = this.viewer;
    const zoom = (z * this.slide.width) / viewport.getContainerSize().x;
    const { width } = this.slide;
    viewport.zoomTo(zoom, undefined, immediately);
    viewport.panTo(new OpenSeadragon.Point(x / width, y / width), immediately);
    viewport.applyConstraints(immediately);
  }

  /** Bring a box to the middle, as large as leaves its surroundings in sight. */
  goTo(box: Box): void {
    const { x: width, y: height } = this.viewer.viewport.getContainerSize();
    const z = Math.min(
      (REGION_SHARE * width) / box.width,
      (REGION_SHARE * height) / box.height,
      CLOSEST_LOOK,
    );
    this.show({ x: box.x + box.width / 2, y: box.y + box.height / 2, z });
  }

  zoomBy(factor: number): void {
    this.viewer.viewport.zoomBy(factor).applyConstraints();
  }

  home(): void {
    this.viewer.viewport.goHome();
  }

  setMapOpacity(opacity: number): void {
    this.mapOpacity = opacity;
    this.map?.setOpacity(opacity);
  }

  /** Show a newer map; the older one stays until all of the newer one's part in sight is there. */
  setMap(map: Pyramid): void {
    this.newestMap = map;
    if (!this.mapIsLoading) this.loadMap(map);
  }

  private loadMap(map: Pyramid): void {
    this.mapIsLoading = true;
    this.viewer.addTiledImage({
      tileSource: sourceOf(coarser(map, this.mapLevelsLeftOut)),
      x: 0,
      y: 0,
      width: this.widthOfMap(map),
      opacity: 0,
      preload: true,
      success: (event) => {
        const { item } = event as unknown as { item: OpenSeadragon.TiledImage };
        const loaded = (): void => {
          setTimeout(() => {
            this.replaceMap(item, map);
          }); // not while the viewer goes through its images
        };
        if (item.getFullyLoaded()) loaded();
        else item.addOnceHandler("fully-loaded-change", loaded);
      },
    });
  }

  /** Of the slide's: a coarser one ends at a whole pixel of its own, a little beyond the slide. */
  private widthOfMap(map: Pyramid): number {
    const { width, maxLevel } = coarser(map, this.mapLevelsLeftOut);
    return (width * 2 ** (map.maxLevel - maxLevel)) / map.width;
  }

  private replaceMap(item: OpenSeadragon.TiledImage, map: Pyramid): void {
    if (this.closed) return;
    item.setOpacity(this.mapOpacity);
    if (this.map) this.viewer.world.removeItem(this.map);
    this.map = item;
    this.mapIsLoading = false;
    this.viewer.forceRedraw();
    if (this.newestMap && this.newestMap !== map) this.loadMap(this.newestMap);
  }

  private pointAt(position: OpenSeadragon.Point): Point {
    const { x, y, z, width, height } = this.view();
    return { x: x + (position.x - width / 2) / z, y: y + (position.y - height / 2) / z };
  }
}

function sourceOf(pyramid: Pyramid): OpenSeadragon.TileSourceOptions {
  const { width, height, tileSize, overlap, maxLevel } = pyramid;
  return {
    width,
    height,
    tileSize,
    tileOverlap: overlap,
    minLevel: firstLevel(pyramid),
    maxLevel,
    getTileUrl: (level: number, column: number, row: number) => pyramid.tileUrl(level, column, row),
  } as unknown as OpenSeadragon.TileSourceOptions;
}
