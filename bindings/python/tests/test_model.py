"""Models: what they say of themselves, their weights, files, bytes and pickles."""

import json
import pickle

import das3
import numpy as np
import pytest


def test_describes_the_network(model):
    info = model.info
    assert (info.class_count, info.channel_count, info.ignore_label) == (9, 3, 255)
    assert info.mean == (0.5, 0.5, 0.5) and info.std == (0.25, 0.25, 0.25)
    assert info.swaps_colours is False and info.output_kind == "logits"


def test_names_and_colours_of_classes(model):
    assert model.classes[0] == das3.Class("road", (128, 64, 128))
    assert len(model.classes) == model.info.class_count


def test_parameters_tile_the_values(model):
    end = 0
    for entry in model.parameters:
        assert entry.offset == end and entry.size == np.prod(entry.shape, dtype=int)
        end += entry.size
    assert end == model.info.parameter_count
    assert any(entry.is_statistic for entry in model.parameters)
    assert any(entry.is_classifier for entry in model.parameters)


def test_parameters_go_into_the_callers_array(model):
    values = np.empty(model.info.parameter_count, np.float32)
    assert model.get_parameters(values) is values
    assert np.array_equal(values, model.get_parameters())


def test_other_parameters_make_another_model(model):
    values = model.get_parameters() * np.float32(1.25)
    with model.with_parameters(values) as other:
        assert np.array_equal(other.get_parameters(), values)
    with pytest.raises(das3.ShapeError, match=r"values is float32 \(5,\)"):
        model.with_parameters(np.zeros(5, np.float32))


def test_merge_is_the_weighted_mean(model):
    values = model.get_parameters()
    with model.with_parameters(3 * values) as other:
        equal = das3.Model.merge([model, other]).get_parameters()
        assert np.allclose(equal, 2 * values)
        weighted = das3.Model.merge([model, other], weights=[3, 1]).get_parameters()
        assert np.allclose(weighted, 1.5 * values)
        with pytest.raises(das3.ArgumentError, match="1 weights for 2 models"):
            das3.Model.merge([model, other], weights=[1])


def test_saved_and_loaded_is_the_same(model, tmp_path):
    model.save(tmp_path / "copy.onnx")
    with das3.Model(tmp_path / "copy.onnx") as copy:
        assert copy.info == model.info and copy.classes == model.classes
        assert np.array_equal(copy.get_parameters(), model.get_parameters())


def test_bytes_are_those_of_the_file(model, path):
    assert model.to_bytes() == path.read_bytes()
    with das3.Model.from_bytes(path.read_bytes()) as copy:
        assert copy.info == model.info


def test_pickled_with_its_weights_and_options(path):
    classes = json.dumps({"classes": list("abcdefghi")})
    with das3.Model(path, metadata_json=classes) as model:
        other = model.with_parameters(model.get_parameters() * np.float32(0.5))
    copy = pickle.loads(pickle.dumps(other))
    assert np.array_equal(copy.get_parameters(), other.get_parameters())
    assert [entry.name for entry in copy.classes] == list("abcdefghi")


def test_external_data_where_the_options_say(path, tmp_path):
    onnx = pytest.importorskip("onnx")
    network = onnx.load(path)
    onnx.save(network, tmp_path / "a.onnx", save_as_external_data=True, location="a.bin")
    data = (tmp_path / "a.onnx").read_bytes()
    with das3.Model.from_bytes(data, external_directory=tmp_path) as model:
        assert model.info.parameter_count == 65017
    with pytest.raises(das3.Das3Error):
        das3.Model(tmp_path / "a.onnx", external_data=das3.ExternalData.REFUSE)


def test_a_wrong_option_is_named(path):
    with pytest.raises(TypeError, match=r"'max_node' is not .* did you mean 'max_nodes'"):
        das3.Model(path, max_node=5)
    with pytest.raises(TypeError, match="max_nodes is 'five'"):
        das3.Model(path, max_nodes="five")
    with pytest.raises(das3.ArgumentError, match="max_nodes is -1"):
        das3.Model(path, max_nodes=-1)
