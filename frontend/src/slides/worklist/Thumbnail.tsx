import { type ReactElement, useEffect, useState } from "react";

import { Icon } from "../../view/icons";
import { requestBlob } from "../api/request";
import type { Slide } from "../api/types";
import { inTurn } from "./turns";

/** A small picture of a slide. */
export function Thumbnail({ slide, className }: { slide: Slide; className: string }): ReactElement {
  const source = usePicture(slide.thumbnail);
  return (
    <span
      className={`${className} grid shrink-0 place-items-center overflow-hidden rounded-md bg-sunken text-quiet`}
    >
      {source ? (
        <img src={source} alt="" className="size-full object-contain" />
      ) : (
        <Icon name={slide.state === "failed" ? "failed" : "open"} />
      )}
    </span>
  );
}

/** Fetched by us: with the key, which a browser leaves out, and few at a time. Null where it failed. */
function usePicture(path: string): string | null {
  const [fetched, setFetched] = useState<{ path: string; url: string } | null>(null);
  useEffect(() => {
    const stopped = new AbortController();
    const { signal } = stopped;
    let url: string | null = null;
    void inTurn(signal, () => requestBlob(path, { signal })).then((result) => {
      if (result?.is !== "answered" || signal.aborted) return;
      url = URL.createObjectURL(result.value);
      setFetched({ path, url });
    });
    return () => {
      stopped.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, [path]);
  return fetched?.path === path ? fetched.url : null;
}
