import { HELP } from "../../view/Help";
import { submitWord } from "../review/SlideReview";
import { type Subject, toggleAgreement } from "../review/words";
import { navigate, SLIDES_HREF } from "../route";
import {
  addPoint,
  fetchTileAt,
  endOne,
  middle,
  saveSlideFile,
  stepRegion,
  stepSlide,
} from "./actions";
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
  j: () => {
    void stepSlide(1);
  },
  k: () => {
    void stepSlide(-1);
  },
  t: () => {
    const point = middle();
    if (point) void fetchTileAt(point);
  },
  l: () => {
    const point = middle();
    if (point) addPoint(point);
  },
  a: () => {
    onWord((subject) => {
      toggleAgreement(subject, "agree");
    });
  },
  d: () => {
    onWord((subject) => {
      toggleAgreement(subject, "disagree");
    });
  },
  s: () => {
    onWord(submitWord);
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
    document.getElementById(HELP)?.click();
  },
  Escape: () => {
    if (!endOne()) navigate(SLIDES_HREF);
  },
};

/** The word on the region that is selected, or on the slide. */
function onWord(act: (subject: Subject) => void): void {
  const { id, slide, regions, selected } = getSlide();
  if (!slide?.answer) return;
  const region = selected === null ? null : (regions[selected]?.id ?? selected + 1);
  act({ slide: id, region });
}

function changeOpacity(by: number): void {
  const opacity = Math.round((getSlide().layers.opacity + by) * 10) / 10;
  setLayers({ map: true, opacity: Math.min(1, Math.max(0.1, opacity)) });
}
