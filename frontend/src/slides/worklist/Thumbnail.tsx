import { type ReactElement, useEffect, useState } from "react";

import { keyHeaders } from "../../api/key";
import { Icon } from "../../view/icons";
import { requestBlob } from "../api/request";
import type { Slide } from "../api/types";

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

/** A browser fetches pictures without the key: where there is one, we fetch them. */
function usePicture(path: string | null): string | null {
  const [fetched, setFetched] = useState<{ path: string; url: string } | null>(null);
  const needsKey = Object.keys(keyHeaders()).length > 0;
  useEffect(() => {
    if (path === null || !needsKey) return;
    const stopped = new AbortController();
    let url: string | null = null;
    void requestBlob(path, { signal: stopped.signal }).then((result) => {
      if (result.is !== "answered" || stopped.signal.aborted) return;
      url = URL.createObjectURL(result.value);
      setFetched({ path, url });
    });
    return () => {
      stopped.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, [path, needsKey]);
  if (path === null || !needsKey) return path;
  return fetched?.path === path ? fetched.url : null;
}
