/* Reading the terms on which a value is stored. */
#include "native.h"

static int version_read(PyObject *version, kvl_terms_t *terms)
{
    Py_ssize_t len;
    if (!PyUnicode_Check(version)) {
        PyErr_Format(PyExc_TypeError, "a version is a str, not %R", Py_TYPE(version));
        return -1;
    }
    const char *text = PyUnicode_AsUTF8AndSize(version, &len);
    terms->version = (const uint8_t *)text;
    terms->version_len = text ? (size_t)len : 0;
    return text ? 0 : -1;
}

static int tags_read(State *state, Labels *labels, kvl_terms_t *terms)
{
    Py_ssize_t n = PyTuple_Size(labels->tags), len;
    if (n > KVL_TAGS_MAX) {
        raise_status(state, KVL_ERR_BAD_VALUE, "an entry has at most " TEXT_OF(KVL_TAGS_MAX) " tags");
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *tag = PyTuple_GetItem(labels->tags, i);
        if (!PyUnicode_Check(tag)) {
            PyErr_Format(PyExc_TypeError, "a tag is a str, not %R", Py_TYPE(tag));
            return -1;
        }
        const char *text = PyUnicode_AsUTF8AndSize(tag, &len);
        if (!text)
            return -1;
        labels->slices[i] = (kvl_slice_t){(const uint8_t *)text, (size_t)len};
    }
    terms->tags = labels->slices;
    terms->tags_len = (size_t)n;
    return 0;
}

int labels_read(State *state, PyObject *version, PyObject *tags, Labels *labels, kvl_terms_t *terms)
{
    labels->version = version;
    Py_XINCREF(version);
    labels->tags = NULL;
    if (tags && PyUnicode_Check(tags)) {
        PyErr_SetString(PyExc_TypeError, "tags= takes a sequence of str, not a str");
        return -1;
    }
    if (tags && !(labels->tags = PySequence_Tuple(tags)))
        return -1;
    if (version && version_read(version, terms) < 0)
        return -1;
    return labels->tags ? tags_read(state, labels, terms) : 0;
}

void labels_end(Labels *labels)
{
    Py_CLEAR(labels->version);
    Py_CLEAR(labels->tags);
}

static int64_t integer_of(PyObject *answer, PyObject *name)
{
    PyObject *attribute = PyObject_GetAttr(answer, name);
    int64_t number = attribute ? PyLong_AsLongLong(attribute) : -1;
    Py_XDECREF(attribute);
    return number;
}

int terms_of(State *state, PyObject *answer, bool has_value, Labels *labels, kvl_terms_t *terms)
{
    labels->version = labels->tags = NULL;
    terms->ttl_ms = integer_of(answer, state->s_ttl_ms);
    if (has_value && !PyErr_Occurred())
        terms->cost = integer_of(answer, state->s_cost);
    if (!PyErr_Occurred())
        terms->stale_ttl_ms = integer_of(answer, state->s_stale_ttl_ms);
    PyObject *priority = PyErr_Occurred() ? NULL : PyObject_GetAttr(answer, state->s_priority);
    terms->priority = priority ? PyFloat_AsDouble(priority) : 0;
    Py_XDECREF(priority);
    PyObject *version = PyErr_Occurred() ? NULL : PyObject_GetAttr(answer, state->s_version);
    PyObject *tags = version ? PyObject_GetAttr(answer, state->s_tags) : NULL;
    int failed = tags ? labels_read(state, version, tags, labels, terms) : -1;
    Py_XDECREF(version);
    Py_XDECREF(tags);
    return failed;
}
