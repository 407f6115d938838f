const element = (id) => document.getElementById(id);
const percent = (share) => `${(share * 100).toFixed(1)} %`;

function say(heading, text) {
  element("answer").hidden = false;
  element("verdict").textContent = heading;
  element("explanation").textContent = text;
  element("findings").replaceChildren();
  element("provenance").textContent = "";
}

function show(answer) {
  const verdict = answer.verdict[0].toUpperCase() + answer.verdict.slice(1);
  say(`${verdict} · probability ${percent(answer.probability)}`, answer.explanation);
  for (const finding of answer.findings) {
    const name = document.createElement("dt");
    const probability = document.createElement("dd");
    name.textContent = finding.name;
    probability.textContent = percent(finding.probability);
    element("findings").append(name, probability);
  }
  const { model, calibrated, timings_ms: timings } = answer;
  element("provenance").textContent =
    `${model.id} (${model.engine}, ${model.revision.slice(0, 8)}), ` +
    `${calibrated ? "calibrated" : "not calibrated"}, ${Math.round(timings.total)} ms`;
}

async function ask(file) {
  if (!file) return;
  const preview = element("preview");
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  preview.onerror = () => (preview.hidden = true); // a TIFF: browsers cannot draw it
  say("Looking…", "");
  const form = new FormData();
  form.append("image_file", file, "tile");
  try {
    const response = await fetch("/predict", { method: "POST", body: form });
    const body = await response.json();
    if (response.ok) show(body);
    else say(body.title, body.detail);
  } catch {
    say("Healer cannot be reached", "Check that it is still running, then choose the tile again.");
  }
}

const drop = element("drop");
element("file").addEventListener("change", (event) => ask(event.target.files[0]));
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") ask(event.dataTransfer.files[0]);
  });
}
fetch("/health")
  .then((response) => response.json())
  .then((health) => (element("notice").textContent = health.notice))
  .catch(() => say("Healer cannot be reached", "Check that it is still running."));
