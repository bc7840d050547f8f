// Small pictures. Most are parts of an atlas, one file for those that were painted together; one
// without an atlas, or larger than its part there, is asked for alone.

import { address } from "./api.js";

const SIDE = 192; // pixels of the longer side in an atlas
const KEPT = 40; // unpacked atlases
const atlases = new Map(); // by address, the one that was used last at the end

// Fills a tile of `width` x `height` pixels with the picture of a file. `thumbnail` says where its
// small copy is, as the farm tells it; `alone` is the address of the picture by itself.
export function fill(tile, { path, project, file, thumbnail, alone, width, height }) {
  if (tile.firstElementChild?.dataset.file === file) return;
  if (!thumbnail || Math.max(width, height) > SIDE) { fillAlone(tile, file, alone); return; }
  const [name, place, colour] = thumbnail.split(":");
  const part = document.createElement("i");
  part.className = "thumb";
  part.dataset.file = file;
  part.style.backgroundColor = `#${colour}`;
  tile.replaceChildren(part);
  unpacked(address(`${path}/atlases/${name}`, { project }))
    .then((atlas) => cut(part, atlas, name, Number(place), width, height))
    .catch(() => { if (part.isConnected) fillAlone(tile, file, alone); });
}

function fillAlone(tile, file, source) {
  const image = new Image();
  image.alt = "";
  image.decoding = "async";
  image.draggable = false;
  image.dataset.file = file;
  image.src = source;
  tile.replaceChildren(image);
}

function unpacked(source) {
  const found = atlases.get(source) ?? read(source);
  atlases.delete(source);
  atlases.set(source, found);
  if (atlases.size > KEPT) atlases.delete(atlases.keys().next().value);
  return found;
}

async function read(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}

// Shows one part of an atlas as large as fits, in its own proportions.
function cut(part, atlas, name, place, width, height) {
  const [columns, rows] = name.split("-")[0].split("x").map(Number);
  const own = { width: atlas.naturalWidth / columns, height: atlas.naturalHeight / rows };
  const factor = Math.min(width / own.width, height / own.height);
  const x = place % columns, y = Math.floor(place / columns);
  Object.assign(part.style, {
    width: `${own.width * factor}px`,
    height: `${own.height * factor}px`,
    backgroundImage: `url("${atlas.src}")`,
    backgroundSize: `${atlas.naturalWidth * factor}px ${atlas.naturalHeight * factor}px`,
    backgroundPosition: `${-x * own.width * factor}px ${-y * own.height * factor}px`,
  });
  part.dataset.drawn = "yes";
}
