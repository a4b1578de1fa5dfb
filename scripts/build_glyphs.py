"""Draw the built-in glyphs and write the file that ships with zslearn.

    python scripts/build_glyphs.py                          # writes src/zslearn/data/glyphs.npz
    python scripts/build_glyphs.py --sheet docs/images/glyphs.png

Needs matplotlib, whose fonts it draws. Outlines are rotated, scaled and shifted as curves, and rendered
at eight times the final resolution without hinting. Ink is 255, paper 0. Every face has a random stream
of its own, so that one face can be rebuilt alone. The last line printed is the file's SHA-256, to be
entered in `zslearn.data.glyphs.GLYPHS_SHA256`.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import matplotlib
import numpy as np
import PIL.Image
from jaxtyping import Float, UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from zslearn.data.glyph_semantics import ATTRIBUTES, CHARACTERS, glyph_semantics
from zslearn.data.glyphs import FACES, GLYPHS_FILE

Ink = Float[np.ndarray, "height width"]
Picture = UInt8[np.ndarray, "height width"]
Pictures = UInt8[np.ndarray, "n_rows height width"]

SEED = 20250
"""Seed of every random draw; together with the number of the face it starts that face's stream."""
N_RENDERINGS = 5
"""Pictures of each character in each face."""
IMAGE_SIZE = 16
"""Height and width of a picture in pixels."""
OVERSAMPLING = 8
"""Height and width of the square of fine pixels that are averaged to one."""
CAPITAL_HEIGHT = 12.0
"""Height of a face's H in pixels, at scale 1."""
LARGEST_SIDE = 13.0
"""Characters wider or higher than this many pixels, such as W and Q, are squeezed to it."""
LARGEST_ROTATION = 8.0
"""Degrees by which a picture is turned at most, either way."""
SCALES = (0.85, 1.1)
"""Smallest and largest scale of a picture."""
LARGEST_SHIFT = 1.5
"""Pixels by which a picture is moved at most along each axis, either way."""
NOISE = 0.08
"""Standard deviation of the normal noise on every pixel, as a share of the full range; the sum is clipped."""


def draw_face(face: str) -> Pictures:
    """Draw every rendering of every character in one face.

    Returns:
        `N_RENDERINGS` pictures of the first character, then of the second, and so on.
    """
    rng = np.random.default_rng([SEED, FACES.index(face)])
    outlines = upright_outlines(face)
    pictures = [_distorted(outlines[character], rng) for character in CHARACTERS for _ in range(N_RENDERINGS)]
    return np.stack(pictures)


def upright_outlines(face: str) -> dict[str, Outline]:
    """Trace the characters of one face, centred on the origin, in pixels."""
    font = FontProperties(fname=Path(matplotlib.get_data_path(), "fonts", "ttf", f"{face}.ttf"))
    traced = {character: TextPath((0, 0), character, size=100, prop=font) for character in CHARACTERS}
    scale = CAPITAL_HEIGHT / traced["H"].get_extents().height
    return {character: _centred(outline, scale) for character, outline in traced.items()}


def render(outline: Outline) -> Ink:
    """Fill an outline given in pixels around the centre of the picture; ink is 1, paper 0."""
    size = IMAGE_SIZE * OVERSAMPLING
    renderer = RendererAgg(size, size, 72)
    pen = renderer.new_gc()
    pen.set_linewidth(0)
    placed = Affine2D().scale(OVERSAMPLING).translate(size / 2, size / 2)
    renderer.draw_path(pen, outline, placed, (0.0, 0.0, 0.0, 1.0))
    ink: Ink = np.asarray(renderer.buffer_rgba())[..., 3] / 255
    averaged: Ink = ink.reshape(IMAGE_SIZE, OVERSAMPLING, IMAGE_SIZE, OVERSAMPLING).mean(axis=(1, 3))
    return averaged


def _centred(outline: Outline, scale: float) -> Outline:
    box = outline.get_extents()
    across, along = (min(scale, LARGEST_SIDE / side) for side in (box.width, box.height))
    middle = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    return Affine2D().translate(-middle[0], -middle[1]).scale(across, along).transform_path(outline)


def _distorted(outline: Outline, rng: np.random.Generator) -> Picture:
    rotation = rng.uniform(-LARGEST_ROTATION, LARGEST_ROTATION)
    scale = rng.uniform(*SCALES)
    shift = rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, size=2)
    change = Affine2D().rotate_deg(rotation).scale(scale).translate(*shift)
    clean = render(change.transform_path(outline))
    noisy = clean + rng.normal(0.0, NOISE, size=clean.shape)
    return np.rint(255 * np.clip(noisy, 0.0, 1.0)).astype(np.uint8)


def write_data(file: Path) -> None:
    """Draw all faces and write pictures, labels, faces, semantics and names; needs no pickling to be read."""
    n_face_rows = len(CHARACTERS) * N_RENDERINGS
    np.savez_compressed(
        file,
        images=np.concatenate([draw_face(face) for face in FACES]),
        labels=np.tile(np.repeat(np.arange(len(CHARACTERS)), N_RENDERINGS), len(FACES)),
        faces=np.repeat(np.arange(len(FACES)), n_face_rows),
        semantics=glyph_semantics(),
        class_names=np.array(CHARACTERS),
        face_names=np.array(FACES),
        attribute_names=np.array(ATTRIBUTES),
    )


def write_sheet(file: Path) -> None:
    """Show the first rendering of every character, one row per face, in 16 grey levels to save space."""
    with np.load(GLYPHS_FILE) as arrays:
        images = arrays["images"].reshape(len(FACES), len(CHARACTERS), N_RENDERINGS, IMAGE_SIZE, IMAGE_SIZE)
    sheet = np.vstack([np.hstack(list(characters)) for characters in images[:, :, 0]])
    figure = Figure(figsize=(13.2, 7.2), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.12, 0.03, 0.87, 0.93))
    axes.imshow(255 - sheet, cmap="gray", interpolation="nearest")
    axes.set_yticks(IMAGE_SIZE * (np.arange(len(FACES)) + 0.5), FACES, fontsize=7)
    axes.set_xticks(IMAGE_SIZE * (np.arange(len(CHARACTERS)) + 0.5), CHARACTERS, fontsize=9)
    axes.tick_params(length=0, top=True, labeltop=True)
    canvas.draw()
    picture = PIL.Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("L")
    picture.quantize(16).save(file, optimize=True)


def main() -> None:
    """Write the data, then the contact sheet if one is asked for."""
    parser = argparse.ArgumentParser(description="Draw the built-in glyphs and write the file.")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="write a contact sheet too")
    arguments = parser.parse_args()
    write_data(GLYPHS_FILE)
    if arguments.sheet is not None:
        write_sheet(arguments.sheet)
    print(f"{hashlib.sha256(GLYPHS_FILE.read_bytes()).hexdigest()}  {GLYPHS_FILE.name}")


if __name__ == "__main__":
    main()
