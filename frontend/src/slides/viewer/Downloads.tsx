import { type ReactElement, useState } from "react";

import { Icon } from "../../view/icons";
import { saveSlideFile, type SlideFile } from "./actions";
import { texts } from "./texts";

const FILES: readonly SlideFile[] = ["report", "geojson", "parquet"];

export function Downloads(): ReactElement {
  const [trouble, setTrouble] = useState<string | null>(null);
  return (
    <section>
      <h3 className="heading mb-2">{texts.downloads.title}</h3>
      <div className="flex flex-wrap gap-2">
        {FILES.map((file) => (
          <button
            key={file}
            type="button"
            className="button"
            onClick={() => void saveSlideFile(file).then(setTrouble)}
          >
            <Icon name="report" className="size-4" />
            {texts.downloads[file]}
          </button>
        ))}
      </div>
      {trouble !== null && (
        <p role="alert" className="mt-2 text-sm">
          {texts.downloads.failed} {trouble}
        </p>
      )}
    </section>
  );
}
