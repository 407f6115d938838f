import OpenSeadragon from "openseadragon";
import { type ReactElement, useEffect, useRef, useState } from "react";

import { setState, useSession } from "../session/store";
import { texts } from "../texts";
import { Icon, type IconName } from "../view/icons";
import type { ViewSync } from "./viewSync";
import { drawWindows, type WindowedPicture } from "./overlay";
import { scaleBar } from "./scalebar";

export interface ViewerProps {
  picture: Blob;
  name: string;
  /** Micrometres per pixel of the picture, where known. */
  mpp: number | null;
  link?: ViewSync;
  /** What was read where, in a wide field. */
  windowed?: WindowedPicture;
}

const BAR_ROOM = 140;
const STEP = 1.4;

/** One picture to zoom into. */
export function Viewer({ picture, name, mpp, link, windowed }: ViewerProps): ReactElement {
  const frame = useRef<HTMLDivElement>(null);
  const { place, viewer, magnification } = useOpenSeadragon(picture, name, link);
  useWindows(viewer, picture, windowed);
  const zoom = (by: number): void => {
    viewer.current?.viewport.zoomBy(by).applyConstraints();
  };
  return (
    <div ref={frame} data-viewer className="relative h-full bg-sunken">
      <div ref={place} className="absolute inset-0 isolate" />
      <div className="absolute right-2 top-2 flex flex-col gap-1.5">
        <Control
          icon="add"
          name={texts.viewer.zoomIn}
          act={() => {
            zoom(STEP);
          }}
        />
        <Control
          icon="minus"
          name={texts.viewer.zoomOut}
          act={() => {
            zoom(1 / STEP);
          }}
        />
        <Control
          icon="home"
          name={texts.viewer.home}
          act={() => {
            viewer.current?.viewport.goHome();
          }}
        />
        <FullScreen frame={frame} />
        {windowed && <WindowsToggle />}
      </div>
      {mpp !== null && magnification > 0 && (
        <ScaleBar {...scaleBar(mpp / magnification, BAR_ROOM)} />
      )}
    </div>
  );
}

function useOpenSeadragon(picture: Blob, name: string, link: ViewSync | undefined) {
  const place = useRef<HTMLDivElement>(null);
  const viewer = useRef<OpenSeadragon.Viewer | null>(null);
  const [magnification, setMagnification] = useState(0);
  useEffect(() => {
    if (!place.current) return;
    const url = URL.createObjectURL(picture);
    const opened = open(place.current, url, name);
    viewer.current = opened;
    opened.addHandler("update-viewport", () => {
      setMagnification(opened.viewport.viewportToImageZoom(opened.viewport.getZoom(true)));
    });
    const leave = link?.add(opened);
    return () => {
      leave?.();
      viewer.current = null;
      opened.destroy();
      URL.revokeObjectURL(url);
    };
  }, [picture, name, link]);
  return { place, viewer, magnification };
}

function useWindows(
  viewer: React.RefObject<OpenSeadragon.Viewer | null>,
  picture: Blob,
  windowed: WindowedPicture | undefined,
): void {
  const visible = useSession((session) => session.windowsShown);
  useEffect(() => {
    if (!viewer.current || !windowed || !visible) return undefined;
    return drawWindows(viewer.current, windowed);
  }, [viewer, picture, windowed, visible]); // another picture is another viewer
}

function WindowsToggle(): ReactElement {
  const visible = useSession((session) => session.windowsShown);
  return (
    <button
      type="button"
      className="button button-icon shadow-sm"
      aria-pressed={visible}
      aria-label={texts.windows.show}
      title={texts.windows.show}
      onClick={() => {
        setState({ windowsShown: !visible });
      }}
    >
      <Icon name="windows" className="size-4" />
    </button>
  );
}

/** OpenSeadragon writes one rule into the page, which our policy forbids, unless this stands there. */
function preventInjectedStyle(): void {
  if (document.querySelector("style[data-openseadragon-mobile-css]")) return;
  const style = document.createElementNS(null, "style"); // of no namespace, and so no real one
  style.setAttribute("data-openseadragon-mobile-css", "true");
  document.head.append(style);
}

function open(element: HTMLElement, url: string, name: string): OpenSeadragon.Viewer {
  preventInjectedStyle();
  const prefersReducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const viewer = OpenSeadragon({
    element,
    tileSources: { type: "image", url },
    drawer: "canvas",
    showNavigationControl: false,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    animationTime: prefersReducedMotion ? 0 : 0.5,
    maxZoomPixelRatio: 12,
    minZoomImageRatio: 0.8,
    visibilityRatio: 0.5,
  });
  viewer.canvas.setAttribute("role", "application");
  viewer.canvas.setAttribute("aria-label", texts.viewer.label(name));
  viewer.addHandler("canvas-key", (event) => {
    const { key } = event.originalEvent;
    // The viewer's own letters (turn, flip) would take the page's.
    if (/^[a-z]$/i.test(key)) event.preventDefaultAction = true;
  });
  return viewer;
}

function Control({
  icon,
  name,
  act,
  id,
}: {
  icon: IconName;
  name: string;
  act: () => void;
  id?: string;
}): ReactElement {
  return (
    <button
      type="button"
      id={id}
      className="button button-icon shadow-sm"
      aria-label={name}
      title={name}
      onClick={act}
    >
      <Icon name={icon} className="size-4" />
    </button>
  );
}

function FullScreen({ frame }: { frame: React.RefObject<HTMLDivElement> }): ReactElement | null {
  if (!document.fullscreenEnabled) return null;
  const toggle = (): void => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void frame.current?.requestFullscreen();
  };
  return <Control id="full-screen" icon="full" name={texts.viewer.full} act={toggle} />;
}

function ScaleBar({ micrometres, pixels }: { micrometres: number; pixels: number }): ReactElement {
  return (
    <div className="pointer-events-none absolute bottom-3 left-3 rounded bg-black/70 px-2 pb-1.5 pt-0.5 text-center text-xs font-medium text-white">
      {texts.viewer.micrometres(micrometres)}
      <div className="h-1.5 border-2 border-t-0 border-white" style={{ width: `${pixels}px` }} />
    </div>
  );
}
