import { navigate, SLIDES_HREF } from "../route";
import { addPoint, askTile, endOne, middle, saveSlideFile, stepRegion } from "./actions";
import { isUnderWay, read } from "./reading";
import { getSlide, setLayers } from "./session";

const ZOOM = 1.4;
const FAINTER = -0.1;
const STRONGER = 0.1;

/** By `KeyboardEvent.key`; texts.keys says the same to the person. */
export const SHORTCUTS: Record<string, () => void> = {
  n: () => {
    stepRegion(1);
  },
  p: () => {
    stepRegion(-1);
  },
  t: () => {
    const point = middle();
    if (point) void askTile(point);
  },
  l: () => {
    const point = middle();
    if (point) addPoint(point);
  },
  m: () => {
    setLayers({ map: !getSlide().layers.map });
  },
  o: () => {
    setLayers({ regions: !getSlide().layers.regions });
  },
  u: () => {
    setLayers({ unread: !getSlide().layers.unread });
  },
  "[": () => {
    changeOpacity(FAINTER);
  },
  "]": () => {
    changeOpacity(STRONGER);
  },
  "+": () => {
    getSlide().stage?.zoomBy(ZOOM);
  },
  "=": () => {
    getSlide().stage?.zoomBy(ZOOM);
  },
  "-": () => {
    getSlide().stage?.zoomBy(1 / ZOOM);
  },
  "0": () => {
    getSlide().stage?.home();
  },
  r: () => {
    const { slide } = getSlide();
    if (slide && slide.state !== "read" && !isUnderWay(slide)) void read();
  },
  g: () => {
    if (getSlide().slide?.answer) void saveSlideFile("report");
  },
  f: () => {
    document.getElementById("full-screen")?.click();
  },
  "?": () => {
    document.getElementById("open-help")?.click();
  },
  Escape: () => {
    if (!endOne()) navigate(SLIDES_HREF);
  },
};

function changeOpacity(by: number): void {
  const opacity = Math.round((getSlide().layers.opacity + by) * 10) / 10;
  setLayers({ map: true, opacity: Math.min(1, Math.max(0.1, opacity)) });
}
