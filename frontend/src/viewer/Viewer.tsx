import type OpenSeadragon from "openseadragon";
import { type ReactElement, useEffect, useRef, useState } from "react";

import { setState, useSession } from "../session/store";
import { texts } from "../texts";
import { Control, FullScreen, ScaleBar } from "./controls";
import type { ViewSync } from "./viewSync";
import { openViewer } from "./openViewer";
import { drawWindows, type WindowedPicture } from "./overlay";

export interface ViewerProps {
  picture: Blob;
  name: string;
  /** Micrometres per pixel of the picture, where known. */
  mpp: number | null;
  link?: ViewSync;
  /** What was read where, in a wide field. */
  windowed?: WindowedPicture;
}

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
      {mpp !== null && magnification > 0 && <ScaleBar mpp={mpp / magnification} />}
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
    const opened = openViewer(place.current, texts.viewer.label(name), {
      tileSources: { type: "image", url },
      maxZoomPixelRatio: 12,
    });
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
    <Control
      icon="windows"
      name={texts.windows.show}
      pressed={visible}
      act={() => {
        setState({ windowsShown: !visible });
      }}
    />
  );
}
