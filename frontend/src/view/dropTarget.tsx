import { type ReactElement, useEffect, useState } from "react";

import { filesFromTransfer } from "../intake/files";
import { addFiles } from "../session/intake";
import { navigate, parseRoute, TILES_HREF } from "../slides/route";
import { texts } from "../texts";
import { Icon } from "./icons";

/** The whole window takes drops and pastes; true while something is held over it. */
export function useDropTarget(): boolean {
  const [dropping, setDropping] = useState(false);
  useEffect(() => {
    const addFrom = (transfer: DataTransfer | null): void => {
      if (!transfer?.types.includes("Files")) return;
      void filesFromTransfer(transfer).then(addFiles);
      if (parseRoute(location.hash).page !== "tiles") navigate(TILES_HREF);
    };
    const stop = new AbortController();
    const on = <Name extends keyof WindowEventMap>(
      name: Name,
      listener: (event: WindowEventMap[Name]) => void,
    ): void => {
      window.addEventListener(name, listener, { signal: stop.signal });
    };
    on("dragover", (event) => {
      event.preventDefault();
      setDropping(event.dataTransfer?.types.includes("Files") ?? false);
    });
    on("dragleave", (event) => {
      if (event.relatedTarget === null) setDropping(false);
    });
    on("drop", (event) => {
      event.preventDefault();
      setDropping(false);
      addFrom(event.dataTransfer);
    });
    on("paste", (event) => {
      addFrom(event.clipboardData);
    });
    return () => {
      stop.abort();
    };
  }, []);
  return dropping;
}

export function DropOverlay(): ReactElement {
  return (
    <div className="pointer-events-none fixed inset-0 z-40 bg-ground/90 p-4">
      <div className="flex h-full flex-col items-center justify-center gap-3 rounded-2xl border-2 border-dashed border-accent text-xl font-semibold text-accent">
        <Icon name="upload" className="size-10" />
        {texts.intake.release}
      </div>
    </div>
  );
}
