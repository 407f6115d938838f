import {
  type ChangeEvent,
  type InputHTMLAttributes,
  type ReactElement,
  useEffect,
  useState,
} from "react";

import { filesFromInput } from "../intake/files";
import { addFiles } from "../session/intake";

type Kind = "files" | "folder" | "camera";

const ACCEPTED = "image/png,image/jpeg,image/tiff,image/webp,image/bmp,.tif,.tiff";
const ATTRIBUTES: Record<
  Kind,
  InputHTMLAttributes<HTMLInputElement> & { webkitdirectory?: string }
> = {
  files: { accept: ACCEPTED, multiple: true },
  folder: { webkitdirectory: "" },
  camera: { accept: "image/jpeg,image/png", capture: "environment" },
};

export function openFileDialog(kind: Kind): void {
  document.getElementById(`choose-${kind}`)?.click();
}

/** The browser's own choosers, out of sight: `choose` opens one. */
export function FileInputs(): ReactElement {
  const taken = (event: ChangeEvent<HTMLInputElement>): void => {
    addFiles(filesFromInput(event.target.files));
    event.target.value = ""; // so that the same file can be chosen again
  };
  return (
    <div hidden>
      {(Object.keys(ATTRIBUTES) as Kind[]).map((kind) => (
        <input
          key={kind}
          id={`choose-${kind}`}
          type="file"
          aria-label={kind}
          onChange={taken}
          {...ATTRIBUTES[kind]}
        />
      ))}
    </div>
  );
}

/** Only a device that is touched has a camera one points at a screen or an eyepiece. */
export function useTouch(): boolean {
  const [touch, setTouch] = useState(() => matchMedia("(pointer: coarse)").matches);
  useEffect(() => {
    const query = matchMedia("(pointer: coarse)");
    const changed = (): void => {
      setTouch(query.matches);
    };
    query.addEventListener("change", changed);
    return () => {
      query.removeEventListener("change", changed);
    };
  }, []);
  return touch;
}
