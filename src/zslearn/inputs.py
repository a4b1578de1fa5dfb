"""What people give to an estimator, in whatever form it comes, as checked arrays and names."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zslearn.data.checks import check_class_names, check_features
from zslearn.data.dataset import TrainingView
from zslearn.data.mapped import taken
from zslearn.errors import DataError, listed, unknown_name
from zslearn.shapes import Features, Semantics

_NAME_COLUMN = "name"


def class_semantics(semantics: Any, classes: Sequence[Any] | None) -> tuple[list[Any], Semantics, tuple[str, ...]]:
    """Read the semantics of classes.

    Args:
        semantics: A mapping, a data frame or an array, as for ``GenerativeZSL.fit``.
        classes: The names of the rows of an array.

    Returns:
        Class names; their semantics, ``[n_classes, semantic_dim]``, float64; the attributes' names, empty where they
        are not known.

    Raises:
        DataError: If they name no classes, or by something else than texts and whole numbers, or are not one vector of
            numbers of the same length for each.
        UnknownNameError: If a frame has neither an index nor a column ``name``.
    """
    attribute_names: tuple[str, ...] = ()
    if isinstance(semantics, Mapping):
        names, vectors = list(semantics), [np.asarray(vector) for vector in semantics.values()]
    elif hasattr(semantics, "columns") and hasattr(semantics, "to_numpy"):
        columns = list(semantics.columns)
        if classes is not None:
            names = list(np.asarray(classes).tolist())
        elif hasattr(semantics, "index"):
            names = list(semantics.index)
        else:
            # A frame without an index names its classes in a column.
            if _NAME_COLUMN not in columns:
                raise unknown_name("column", _NAME_COLUMN, map(str, columns))
            names = list(semantics[_NAME_COLUMN])
            columns.remove(_NAME_COLUMN)
        vectors = list(semantics[columns].to_numpy())
        if all(isinstance(column, str) for column in columns):
            attribute_names = tuple(columns)
    elif classes is not None:
        names, vectors = list(np.asarray(classes).tolist()), list(np.asarray(semantics))
    else:
        raise DataError(
            "the semantics name no classes",
            expected="a mapping or data frame by class name, or an array and classes=",
            received=type(semantics).__name__,
            remedy="Give the names of the array's rows as classes=.",
        )
    lengths = {np.shape(vector) for vector in vectors}
    if len(names) != len(vectors) or len(lengths) != 1 or len(next(iter(lengths))) != 1:
        raise DataError(
            "the semantics are not one vector of the same length per class",
            received=f"{len(names)} names and vectors of shapes {sorted(map(str, lengths))}",
            remedy="Give every class the same attributes.",
        )
    table = _plain_numbers(np.stack(vectors))
    if table.dtype.kind not in "fiub":
        raise DataError("the semantics are not numbers", received=str(table.dtype), remedy="Encode texts as numbers.")
    return list(map(_plain_name, names)), table.astype(np.float64), attribute_names


def _plain_name(name: Any) -> str | int:
    """Return a class name as a saved model holds it; a whole number may come as a float."""
    plain = name.item() if isinstance(name, np.generic) else name
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    if not isinstance(plain, str | int):
        raise DataError(
            f"{plain!r} cannot name a class",
            expected="texts or whole numbers",
            received=type(plain).__name__,
            remedy="Name the classes otherwise, in the labels and in the semantics.",
        )
    return plain


def typed_name(text: str, known: Sequence[Any]) -> str | int:
    """Return a class name that somebody typed as one of the type that the known ones have.

    Raises:
        DataError: If the known names are whole numbers, and the text is not a whole number in its usual form.
    """
    if isinstance(known[0], str):
        return text
    with contextlib.suppress(ValueError):
        name = int(text)
        if str(name) == text:
            return name
    raise DataError(
        f"{text!r} cannot name a class of this model",
        expected="a whole number, as of the other classes",
        remedy="Name it by a number.",
    )


def check_attributes(given: Collection[str], known: Sequence[str]) -> None:
    """Check that what is given for a class are the known attributes, in any order.

    Raises:
        UnknownNameError: If a given one is not known.
        DataError: If a known one is not given.
    """
    for name in given:
        if name not in known:
            raise unknown_name("attribute", str(name), known)
    missing = [name for name in known if name not in given]
    if missing:
        raise DataError(
            "a class is not described by all attributes",
            expected=f"{len(known)} attributes",
            received=f"none for {listed(missing)}",
            remedy="Give a number for each attribute.",
        )


def check_new_names(names: Sequence[Any], known: Sequence[Any]) -> None:
    """Check that new classes have names of their own, of the same type as the known ones.

    Raises:
        DataError: If one has not, differs from another by case or blanks only, or cannot be shown.
    """
    kind = str if isinstance(known[0], str) else int
    spellings = {_spelling(name): name for name in known}
    for name in names:
        if not isinstance(name, kind) or isinstance(name, bool) or not str(name).strip():
            raise DataError(
                f"{name!r} cannot name a class of this model",
                expected="a text that is not blank" if kind is str else "a whole number, as of the other classes",
                remedy="Give the class another name.",
            )
        spelling = _spelling(name)
        if spelling in spellings:
            other = spellings[spelling]
            raise DataError(
                f"there is a class called {other!r} already"
                if other == name
                else f"{name!r} differs from the class {other!r} by case or blanks only",
                remedy="Drop that class first, or give the new one another name.",
            )
        spellings[spelling] = name
    check_class_names(map(str, names))


def _spelling(name: Any) -> str:
    """What names have in common that people would take for the same."""
    return " ".join(str(name).split()).casefold()


def training_view(
    X: Any,
    labels: NDArray[Any],
    names: list[Any],
    semantics: Semantics,
    unseen_classes: Sequence[Any] | None,
    attribute_names: tuple[str, ...],
) -> tuple[TrainingView, list[Any]]:
    """Put samples and classes together to all that training may see.

    Args:
        X: Features, as for ``GenerativeZSL.fit``.
        labels: The class name of every row, as ``label_names`` returns them.
        names: All class names.
        semantics: Theirs, ``[n_classes, semantic_dim]``.
        unseen_classes: Which to expect without samples; all classes without samples if not given.
        attribute_names: Of the columns of the semantics.

    Returns:
        The view, whose class names are texts, and the names of its classes as they came.

    Raises:
        DataError: If a labelled class has no semantics, or an unseen one has labels.
        UnknownNameError: If an unseen class has no semantics.
    """
    features = feature_rows(X)
    index = {name: row for row, name in enumerate(names)}
    labelled = set(labels.tolist())
    without = sorted(map(str, labelled - set(index)))
    if without:
        raise DataError(
            f"classes have labels but no semantics: {', '.join(without[:5])}",
            remedy="Add a semantic vector for each of them, or drop their rows.",
        )
    unseen = [name for name in names if name not in labelled]
    if unseen_classes is not None:
        unseen = list(np.asarray(unseen_classes).tolist())
        for name in unseen:
            if name not in index:
                raise unknown_name("class", str(name), map(str, index))
        overlap = sorted(str(name) for name in unseen if name in labelled)
        if overlap:
            raise DataError(
                f"unseen classes have labels: {', '.join(overlap[:5])}",
                expected="no sample of an unseen class",
                remedy="Drop their rows, or do not name them as unseen.",
            )
    wanted = labelled | set(unseen)
    kept = [name for name in names if name in wanted]
    rank = {name: class_id for class_id, name in enumerate(kept)}
    seen_ids = np.array([rank[name] for name in kept if name in labelled], dtype=np.int64)
    view = TrainingView(
        name="fit",
        features=taken(features, np.arange(len(features))) if isinstance(features, np.memmap) else features,
        labels=np.array([rank[name] for name in labels.tolist()], dtype=np.int64),
        semantics=semantics[[index[name] for name in kept]],
        class_names=tuple(map(str, kept)),
        seen_ids=seen_ids,
        unseen_ids=np.setdiff1d(np.arange(len(kept)), seen_ids),
        groups=None,
        rehearsal_groups=(),
        image_shape=None,
        attribute_names=attribute_names,
    )
    return view, kept


def feature_rows(X: Any) -> Features:
    """Return features as an array, ``[n_rows, feature_dim]``; float32 unless they are mapped from a file.

    Raises:
        DataError: If they are sparse, not a table of numbers, or not finite.
    """
    if hasattr(X, "tocsr"):
        raise DataError(
            "sparse features are not supported",
            expected="a dense array [n_rows, feature_dim]",
            received=type(X).__name__,
            remedy="Make them dense with toarray().",
        )
    if isinstance(X, torch.Tensor):
        features = X.detach().cpu().numpy()
    else:
        # A memory map stays one; other kinds of arrays, such as np.matrix, calculate in their own ways.
        features = X if isinstance(X, np.memmap) else np.asarray(X)
    features = _plain_numbers(features)
    if features.ndim != 2 or features.dtype.kind not in "fiub":
        raise DataError(
            "the features are not a table of numbers",
            expected="an array [n_rows, feature_dim]",
            received=f"shape {features.shape} of {features.dtype}",
            remedy="Reshape your data to one row of numbers per sample.",
        )
    checked = check_features(features)
    return checked if isinstance(checked, np.memmap) else checked.astype(np.float32, copy=False)


def _plain_numbers(array: NDArray[Any]) -> NDArray[Any]:
    """Turn an array of Python objects, as frames of several types make, into numbers where all of them are."""
    if array.dtype != object:
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        return array


def label_names(y: Any) -> NDArray[Any]:
    """Return the class name of every row, ``[n_rows]``: texts or whole numbers.

    Raises:
        DataError: If they are not a flat list, or continuous numbers.
    """
    names = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
    if names.ndim != 1:
        raise DataError(
            "the labels are not one name per row",
            expected="an array [n_rows]",
            received=f"shape {names.shape}",
            remedy="Flatten them.",
        )
    if names.dtype.kind == "f":
        odd = ~np.isfinite(names) | (names != np.floor(names))
        if odd.any():
            raise DataError(
                "the labels are continuous numbers, or contain NaN or infinity",
                expected="class names: texts or whole numbers",
                received=str(names[odd][0]),
                remedy="Give the class of every row.",
            )
    return names
