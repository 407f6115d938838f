import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const PACKAGE = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//;
const TEXT = /^(licen[cs]e|copying|notice)/i;

/** licences.txt beside the page: the terms of every package that is part of it. */
export function licences(): Plugin {
  return {
    name: "licences",
    apply: "build",
    generateBundle(_, bundle) {
      const folders = new Set<string>();
      for (const part of Object.values(bundle)) {
        if (part.type !== "chunk") continue;
        for (const id of part.moduleIds) {
          const folder = PACKAGE.exec(id)?.[1]?.replace("\0", "");
          if (folder) folders.add(folder);
        }
      }
      const source = [...folders]
        .map(terms)
        .sort()
        .join(`\n${"-".repeat(80)}\n\n`);
      this.emitFile({ type: "asset", fileName: "licences.txt", source });
    },
  };
}

function terms(folder: string): string {
  const described = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<
    string,
    string
  >;
  const texts = readdirSync(folder).filter((name) => TEXT.test(name));
  const quoted = texts.map((name) => readFileSync(join(folder, name), "utf8").trim());
  return `${described.name} ${described.version}: ${described.license}\n\n${quoted.join("\n\n")}\n`;
}
