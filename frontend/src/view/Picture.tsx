import {
  type ComponentType,
  createElement,
  type ReactElement,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";

import type { Item } from "../session/item";
import { texts } from "../texts";
import type { ViewSync } from "../viewer/viewSync";
import type { WindowedPicture } from "../viewer/overlay";
import type { ViewerProps } from "../viewer/Viewer";

type Viewer = ComponentType<ViewerProps>;

/** The tile in the viewer, which is fetched with the first one; the bare picture until it is there. */
export function Picture({ item, link }: { item: Item; link?: ViewSync }): ReactElement {
  const Viewer = useViewer();
  const windowed = useWindowed(item);
  if (!item.drawable) {
    return <Placeholder>{texts.viewer[placeholderFor(item)]}</Placeholder>;
  }
  const mpp = item.verdict?.tile.mpp ?? null;
  return Viewer ? (
    createElement(Viewer, {
      key: item.id,
      picture: item.drawable,
      name: item.name,
      mpp,
      ...(link && { link }),
      ...(windowed && { windowed }),
    })
  ) : (
    <PlainImage key={item.id} picture={item.drawable} name={item.name} />
  );
}

/** The windows of a wide field; the same object for as long as they are the same. */
function useWindowed({ verdict }: Item): WindowedPicture | undefined {
  const windows = verdict?.windows;
  const { width = 0, height = 0 } = verdict?.tile ?? {};
  return useMemo(
    () => (windows && windows.length > 0 && width > 0 ? { windows, width, height } : undefined),
    [windows, width, height],
  );
}

function placeholderFor({ phase, drawable }: Item): "loading" | "none" | "cannotDraw" {
  if (phase.is === "failed") return "none";
  return drawable === null ? "cannotDraw" : "loading";
}

let loadedViewer: Viewer | undefined;

/** Undefined while the viewer is on its way, or cannot be fetched: each tile tries again. */
function useViewer(): Viewer | undefined {
  const [viewer, setViewer] = useState<Viewer | undefined>(() => loadedViewer);
  useEffect(() => {
    const keep = ({ Viewer }: { Viewer: Viewer }): void => {
      loadedViewer = Viewer;
      setViewer(() => Viewer);
    };
    if (!loadedViewer) import("../viewer/Viewer").then(keep, () => undefined);
  }, []);
  return viewer;
}

function PlainImage({ picture, name }: { picture: Blob; name: string }): ReactElement {
  const image = useRef<HTMLImageElement>(null);
  useEffect(() => {
    const url = URL.createObjectURL(picture);
    if (image.current) image.current.src = url;
    return () => {
      URL.revokeObjectURL(url);
    };
  }, [picture]);
  return (
    <div className="h-full bg-sunken">
      <img ref={image} alt={name} className="size-full object-contain" />
    </div>
  );
}

function Placeholder({ children }: { children: string }): ReactElement {
  return (
    <div className="grid h-full place-items-center bg-sunken p-6 text-center text-sm text-quiet">
      {children}
    </div>
  );
}
