// The report's only script: links land where they point, cells are filtered and sorted, fields unfold, and a field is
// looked at in full where its image is at hand. It stores nothing and connects to nothing.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const tools = document.querySelector(".tools");

  // A link into a folded part unfolds it first, and what was filtered away is shown again.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let part = target; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") part.open = true;
      part.hidden = false;
    }
    const whole = target.matches("section, details, div");
    target.scrollIntoView({ block: whole ? "start" : "center" });
  };
  addEventListener("hashchange", reveal);
  addEventListener("load", reveal);
  if (!tools) return;
  tools.hidden = false;

  // What stays at the top is as high as its words are long.
  const banner = document.querySelector(".banner");
  const makeRoom = () => {
    tools.style.top = `${banner.offsetHeight}px`;
    const sticky = getComputedStyle(tools).position === "sticky" ? tools.offsetHeight : 0;
    document.documentElement.style.scrollPaddingTop = `${banner.offsetHeight + sticky + 8}px`;
  };
  makeRoom();
  addEventListener("resize", makeRoom);

  const input = (name) => tools.querySelector(`[name="${name}"]`);
  const number = (name, otherwise) => (input(name).value === "" ? otherwise : Number(input(name).value));
  const orders = {
    place: (a, b) => a.dataset.place - b.dataset.place,
    probability: (a, b) => (b.dataset.probability ?? -1) - (a.dataset.probability ?? -1) || orders.place(a, b),
    area: (a, b) => b.dataset.area - a.dataset.area || orders.place(a, b),
    field: (a, b) => a.dataset.field - b.dataset.field || a.dataset.cell - b.dataset.cell,
  };
  const choose = () => {
    const labels = new Set(all('[name="label"]:checked', tools).map((box) => box.value));
    const low = number("least-probability", 0), high = number("most-probability", 1), area = number("least-area", 0);
    tools.querySelector(".inverted").hidden = low <= high;
    for (const gallery of all(".gallery")) {
      gallery.hidden = !labels.has(gallery.dataset.label);
      const list = gallery.querySelector(".tiles");
      const tiles = [...list.children].sort(orders[input("order").value]);
      let shown = 0;
      for (const tile of tiles) {
        const probability = tile.dataset.probability;
        const fits = probability === undefined || (Number(probability) >= low && Number(probability) <= high);
        tile.hidden = !fits || Number(tile.dataset.area) < area;
        shown += !tile.hidden;
      }
      list.append(...tiles);
      const words = tools.dataset.matching.replace("{shown}", shown).replace("{all}", tiles.length);
      gallery.querySelector(".matching").textContent = shown === tiles.length ? "" : words;
    }
    document.body.classList.toggle("without-outlines", !input("outlines").checked);
  };
  tools.addEventListener("input", (event) => { if (event.target.name !== "images") choose(); });
  input("unfold").addEventListener("click", () => {
    const fields = all(".field");
    const open = fields.some((field) => !field.open);
    for (const field of fields) field.open = open;
  });

  // The images stay where they are: the browser reads those that the reader chose, and shows them.
  const images = new Map();
  const imageOf = (field) => {
    const found = images.get(field.dataset.image) ?? [];
    const own = found.filter((file) => file.webkitRelativePath.split("/").at(-2) === field.dataset.slide);
    return own.length === 1 ? own[0] : found.length === 1 ? found[0] : undefined;
  };
  input("images").addEventListener("change", (event) => {
    images.clear();
    for (const file of event.target.files) images.set(file.name, [...(images.get(file.name) ?? []), file]);
    for (const field of all(".field")) for (const look of all(".look", field)) look.hidden = !imageOf(field);
  });

  const dialog = document.querySelector("dialog"), stage = dialog.querySelector(".stage");
  const pane = dialog.querySelector(".pane"), words = dialog.querySelector("span");
  let scale = 1, width = 1;
  const zoom = (factor, x, y) => {
    const before = scale;
    scale = Math.min(8, Math.max(0.1, scale * factor));
    stage.style.width = `${width * scale}px`;
    pane.scrollLeft = (pane.scrollLeft + x) * (scale / before) - x;
    pane.scrollTop = (pane.scrollTop + y) * (scale / before) - y;
  };
  const look = (field) => {
    const file = imageOf(field);
    const address = URL.createObjectURL(file);
    const image = new Image();
    image.alt = file.name;
    image.addEventListener("load", () => {
      const [own, height] = field.dataset.size.split(" ").map(Number);
      width = own;
      if (image.naturalWidth !== own || image.naturalHeight !== height) words.textContent = tools.dataset.wrong;
      else {
        const frames = field.querySelector("svg").cloneNode(true);
        for (const rect of all("rect", frames)) rect.removeAttribute("id");
        stage.append(image, frames);
      }
      scale = 1;
      zoom(1, 0, 0);
    });
    image.addEventListener("error", () => { words.textContent = tools.dataset.unreadable; });
    words.textContent = file.name;
    stage.replaceChildren();
    image.src = address;
    dialog.showModal();
    dialog.addEventListener("close", () => { URL.revokeObjectURL(address); stage.replaceChildren(); }, { once: true });
  };
  for (const button of all(".look")) button.addEventListener("click", () => look(button.closest(".field")));
  dialog.querySelector("button").addEventListener("click", () => dialog.close());
  pane.addEventListener("wheel", (event) => {
    event.preventDefault();
    const place = pane.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, event.clientX - place.left, event.clientY - place.top);
  }, { passive: false });
  pane.addEventListener("pointermove", (event) => {
    if (event.buttons !== 1) return;
    pane.scrollLeft -= event.movementX;
    pane.scrollTop -= event.movementY;
  });
  pane.addEventListener("dragstart", (event) => event.preventDefault());
  stage.addEventListener("click", (event) => event.preventDefault());
})();
