#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <simdjson.h>
#include <unordered_set>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/model_files/safetensors_reader.h"
#include "runners/model_files/safetensors_types.h"

namespace gpqa {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

using simdjson::dom::element;
using simdjson::dom::object;

// As the format's own library has it.
constexpr std::uint64_t kMaxHeader = 100'000'000;
constexpr std::string_view kMetadata = "__metadata__";

// Where in which file; every error goes through here.
struct Place {
  const std::filesystem::path& path;
  std::string what;  // "header", "tensor NAME"

  [[noreturn]] void fail(const std::string& message) const {
    throw FormatError(path.string(), what, message);
  }
};

object parse_object(simdjson::dom::parser& parser, std::string_view json, const Place& place) {
  object parsed;
  if (const auto error = parser.parse(json.data(), json.size()).get(parsed)) {
    place.fail(fmt::format("expected a JSON object: {}", simdjson::error_message(error)));
  }
  return parsed;
}

std::string_view text_of(element value, const Place& place, std::string_view field) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) {
    place.fail(fmt::format("{}: expected a string", field));
  }
  return text;
}

std::vector<std::uint64_t> counts_of(element value, const Place& place, std::string_view field) {
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) {
    place.fail(fmt::format("{}: expected an array", field));
  }
  std::vector<std::uint64_t> counts;
  for (const auto one : array) {
    std::uint64_t count = 0;
    if (one.get(count) != simdjson::SUCCESS) {
      place.fail(fmt::format("{}: expected whole numbers from 0", field));
    }
    counts.push_back(count);
  }
  return counts;
}

SafetensorsMetadata metadata_of(element value, const Place& place) {
  object fields;
  if (value.get(fields) != simdjson::SUCCESS) {
    place.fail("__metadata__: expected an object");
  }
  SafetensorsMetadata metadata;
  std::unordered_set<std::string_view> keys;
  for (const auto field : fields) {
    if (!keys.insert(field.key).second) {
      place.fail(fmt::format("__metadata__ has {} twice", field.key));
    }
    metadata.emplace_back(field.key, text_of(field.value, place, "__metadata__"));
  }
  return metadata;
}

// Bytes of a tensor of that shape. nullopt: no such number.
std::optional<std::uint64_t> bytes_of(const BlockFormat& format, const std::vector<std::uint64_t>& shape) {
  std::uint64_t elements = 1;
  std::uint64_t bytes = 0;
  for (const auto length : shape) {
    if (__builtin_mul_overflow(elements, length, &elements)) {
      return std::nullopt;
    }
  }
  if (elements % format.elements != 0 ||
      __builtin_mul_overflow(elements / format.elements, std::uint64_t{format.bytes}, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

// `data`: what follows the header.
TensorView tensor_of(std::string_view name, element value, std::span<const std::byte> data,
                     const std::filesystem::path& path) {
  const Place place{path, fmt::format("tensor {}", name)};
  object fields;
  if (value.get(fields) != simdjson::SUCCESS) {
    place.fail("expected an object with dtype, shape and data_offsets");
  }
  std::optional<std::string_view> dtype;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
  for (const auto field : fields) {
    const bool twice = (field.key == "dtype" && dtype) || (field.key == "shape" && shape) ||
                       (field.key == "data_offsets" && offsets);
    if (twice) {
      place.fail(fmt::format("has {} twice", field.key));
    } else if (field.key == "dtype") {
      dtype = text_of(field.value, place, field.key);
    } else if (field.key == "shape") {
      shape = counts_of(field.value, place, field.key);
    } else if (field.key == "data_offsets") {
      offsets = counts_of(field.value, place, field.key);
    }
  }
  if (name.empty() || !dtype || !shape || !offsets) {
    place.fail("expected a name, dtype, shape and data_offsets");
  }
  const auto format = safetensors_type(*dtype);
  if (!format) {
    place.fail(fmt::format("dtype {} is none that is known here", *dtype));
  }
  if (offsets->size() != 2 || offsets->at(0) > offsets->at(1) || offsets->at(1) > data.size()) {
    place.fail(
        fmt::format("data_offsets [{}]: expected a begin and an end within {} bytes of data: the file is "
                    "cut short or damaged",
                    fmt::join(*offsets, ", "), data.size()));
  }
  const auto found = offsets->at(1) - offsets->at(0);
  const auto expected = bytes_of(*format, *shape);
  if (!expected || *expected != found) {
    place.fail(fmt::format("{} bytes for {} of shape [{}]{}", found, format->name, fmt::join(*shape, ", "),
                           expected ? fmt::format("; expected {}", *expected) : ""));
  }
  std::reverse(shape->begin(), shape->end());
  return {.name = std::string(name),
          .format = *format,
          .shape = std::move(*shape),
          .bytes = data.subspan(offsets->at(0), found)};
}

// As the format's own library demands: one after another, from the first byte to the last.
void check_places(std::vector<TensorView>& tensors, std::span<const std::byte> data,
                  const std::filesystem::path& path) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  const auto* end = data.data();
  for (const auto& tensor : tensors) {
    if (tensor.bytes.data() != end) {
      Place{path, fmt::format("tensor {}", tensor.name)}.fail(fmt::format(
          "{} the tensor before it", tensor.bytes.data() < end ? "overlaps" : "leaves a gap behind"));
    }
    end += tensor.bytes.size();
  }
  if (end != data.data() + data.size()) {
    Place{path, "header"}.fail(
        fmt::format("{} bytes at the end belong to no tensor", data.data() + data.size() - end));
  }
}

}  // namespace

SafetensorsHeader parse_safetensors(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  const Place place{path, "header"};
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length) {
    place.fail(fmt::format("{} bytes are no safetensors file", bytes.size()));
  }
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto rest = bytes.subspan(sizeof length);
  if (length > kMaxHeader || length > rest.size()) {
    place.fail(fmt::format("{} bytes long in a file of {}: no safetensors file, cut short, or damaged",
                           length, bytes.size()));
  }
  const std::string_view json(reinterpret_cast<const char*>(rest.data()), static_cast<std::size_t>(length));
  if (!json.starts_with('{')) {
    place.fail("expected a JSON object: no safetensors file");
  }
  const auto data = rest.subspan(length);
  simdjson::dom::parser parser;
  SafetensorsHeader header;
  std::unordered_set<std::string_view> names;
  for (const auto field : parse_object(parser, json, place)) {
    if (!names.insert(field.key).second) {
      place.fail(fmt::format("{} is there twice", field.key));
    }
    if (field.key == kMetadata) {
      header.metadata = metadata_of(field.value, place);
    } else {
      header.tensors.push_back(tensor_of(field.key, field.value, data, path));
    }
  }
  check_places(header.tensors, data, path);
  return header;
}

std::vector<std::pair<std::string, std::string>> parse_safetensors_index(std::string_view json,
                                                                         const std::filesystem::path& path) {
  const Place place{path, "weight_map"};
  simdjson::dom::parser parser;
  std::optional<object> map;
  for (const auto field : parse_object(parser, json, Place{path, ""})) {
    if (field.key != "weight_map") {
      continue;
    }
    object found;
    if (map || field.value.get(found) != simdjson::SUCCESS) {
      place.fail("expected one object");
    }
    map = found;
  }
  if (!map) {
    place.fail("is missing: no index of a checkpoint");
  }
  std::vector<std::pair<std::string, std::string>> out;
  std::unordered_set<std::string_view> names;
  for (const auto field : *map) {
    const auto file = text_of(field.value, place, field.key);
    if (!names.insert(field.key).second) {
      place.fail(fmt::format("tensor {} is there twice", field.key));
    }
    // A name can't lead out of the folder.
    if (file.empty() || file == "." || file == ".." || file.find('/') != std::string_view::npos ||
        file.find('\0') != std::string_view::npos) {
      place.fail(fmt::format("tensor {}: expected a file's name, found \"{}\"", field.key, file));
    }
    out.emplace_back(field.key, file);
  }
  if (out.empty()) {
    place.fail("names no tensor");
  }
  return out;
}

}  // namespace gpqa
