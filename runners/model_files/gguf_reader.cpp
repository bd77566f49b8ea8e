#include "runners/model_files/gguf_reader.h"

#include <algorithm>
#include <bit>
#include <set>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/model_files/block_formats.h"
#include "runners/model_files/gguf_cursor.h"

namespace gpqa {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is little-endian");

constexpr std::uint64_t kMaxName = 65535;
constexpr std::uint64_t kMaxDimensions = 4;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMaxAlignment = 1u << 20;

std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t out = 0;
  return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional(out);
}

// Bytes of a metadata scalar; 0 for strings and arrays.
std::uint64_t scalar_bytes(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean:
      return 1;
    case GgufType::u16:
    case GgufType::i16:
      return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32:
      return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64:
      return 8;
    case GgufType::string:
    case GgufType::array:
      return 0;
  }
  return 0;
}

GgufArray read_array(GgufCursor& in) {
  GgufArray array;
  array.type = in.read_type();
  array.count = in.read<std::uint64_t>("an array's length");
  array.offset = in.at();
  if (array.type == GgufType::array) {
    in.fail("an array of arrays; no model has one, and llama.cpp reads none");
  }
  if (array.type == GgufType::string) {
    if (array.count > in.left() / sizeof(std::uint64_t)) {
      in.fail(fmt::format("an array of {} strings, but only {} bytes are left", array.count, in.left()));
    }
    for (std::uint64_t i = 0; i < array.count; ++i) {
      in.read_string("a string in an array");
    }
  } else {
    const auto bytes = product(array.count, scalar_bytes(array.type));
    if (!bytes) {
      in.fail(fmt::format("an array of {} elements", array.count));
    }
    in.skip(*bytes, "an array");
  }
  array.bytes = in.at() - array.offset;
  return array;
}

bool read_boolean(GgufCursor& in) {
  const auto byte = in.read<std::uint8_t>("a boolean");
  if (byte > 1) {
    in.fail(fmt::format("a boolean of {}; expected 0 or 1", byte));
  }
  return byte == 1;
}

GgufValue read_value(GgufCursor& in, GgufType type) {
  switch (type) {
    case GgufType::u8:
      return std::uint64_t{in.read<std::uint8_t>("a value")};
    case GgufType::i8:
      return std::int64_t{in.read<std::int8_t>("a value")};
    case GgufType::u16:
      return std::uint64_t{in.read<std::uint16_t>("a value")};
    case GgufType::i16:
      return std::int64_t{in.read<std::int16_t>("a value")};
    case GgufType::u32:
      return std::uint64_t{in.read<std::uint32_t>("a value")};
    case GgufType::i32:
      return std::int64_t{in.read<std::int32_t>("a value")};
    case GgufType::f32:
      return double{in.read<float>("a value")};
    case GgufType::boolean:
      return read_boolean(in);
    case GgufType::string:
      return std::string(in.read_string("a string"));
    case GgufType::array:
      return read_array(in);
    case GgufType::u64:
      return in.read<std::uint64_t>("a value");
    case GgufType::i64:
      return in.read<std::int64_t>("a value");
    case GgufType::f64:
      return in.read<double>("a value");
  }
  in.fail("value type");
}

GgufTensor read_tensor(GgufCursor& in) {
  GgufTensor tensor;
  const auto name = in.read_string("a tensor's name");
  if (name.empty() || name.size() > kMaxName) {
    in.fail(fmt::format("a tensor's name of {} bytes", name.size()));
  }
  tensor.name = name;
  const auto dimensions = in.read<std::uint32_t>("a tensor's dimensions");
  if (dimensions == 0 || dimensions > kMaxDimensions) {
    in.fail(
        fmt::format("tensor {}: {} dimensions; expected 1 to {}", tensor.name, dimensions, kMaxDimensions));
  }
  tensor.elements = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto length = in.read<std::uint64_t>("a tensor's shape");
    const auto elements = product(tensor.elements, length);
    if (length == 0 || !elements || *elements > (std::uint64_t{1} << 62)) {
      in.fail(fmt::format("tensor {}: dimension {} is {}", tensor.name, i, length));
    }
    tensor.elements = *elements;
    tensor.shape.push_back(length);
  }
  tensor.type = in.read<std::uint32_t>("a tensor's type");
  const auto format = block_format(tensor.type);
  if (!format) {
    in.fail(fmt::format("tensor {}: type {} is none that is known here", tensor.name, tensor.type));
  }
  if (tensor.shape[0] % format->elements != 0) {
    in.fail(fmt::format("tensor {}: rows of {} elements; {} needs a multiple of {}", tensor.name,
                        tensor.shape[0], format->name, format->elements));
  }
  const auto bytes = product(tensor.elements / format->elements, format->bytes);
  if (!bytes) {
    in.fail(fmt::format("tensor {}: {} elements", tensor.name, tensor.elements));
  }
  tensor.bytes = *bytes;
  tensor.offset = in.read<std::uint64_t>("a tensor's offset");
  return tensor;
}

std::uint64_t read_alignment(const GgufCursor& in, const GgufHeader& header) {
  if (!header.metadata.contains("general.alignment")) {
    return kDefaultAlignment;
  }
  const auto alignment = header.count("general.alignment").value_or(0);
  if (!std::has_single_bit(alignment) || alignment > kMaxAlignment) {
    in.fail(
        fmt::format("general.alignment = {}; expected a power of two up to {}", alignment, kMaxAlignment));
  }
  return alignment;
}

// Offsets count from the end of the header as they are read, from the beginning of the file afterwards.
void place_tensors(const GgufCursor& in, GgufHeader& header) {
  const auto alignment = header.alignment = read_alignment(in, header);
  const auto data = (in.at() + alignment - 1) / alignment * alignment;
  std::vector<const GgufTensor*> by_offset;
  for (auto& tensor : header.tensors) {
    if (tensor.offset % alignment != 0) {
      in.fail(
          fmt::format("tensor {}: offset {} is no multiple of {}", tensor.name, tensor.offset, alignment));
    }
    if (data > in.size() || tensor.offset > in.size() - data ||
        tensor.bytes > in.size() - data - tensor.offset) {
      in.fail(fmt::format(
          "tensor {}: {} bytes at {} of its data, in a file of {} bytes: it is cut short or damaged",
          tensor.name, tensor.bytes, tensor.offset, in.size()));
    }
    tensor.offset += data;
    by_offset.push_back(&tensor);
  }
  std::sort(by_offset.begin(), by_offset.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < by_offset.size(); ++i) {
    const auto& before = *by_offset[i - 1];
    if (by_offset[i]->offset - before.offset < before.bytes) {
      in.fail(fmt::format("tensors {} and {} overlap", before.name, by_offset[i]->name));
    }
  }
}

}  // namespace

std::uint64_t GgufHeader::n_params() const {
  std::uint64_t sum = 0;
  for (const auto& tensor : tensors) {
    sum += tensor.elements;
  }
  return sum;
}

std::uint64_t GgufHeader::tensor_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& tensor : tensors) {
    sum += tensor.bytes;
  }
  return sum;
}

std::optional<std::string> GgufHeader::text(const std::string& key) const {
  const auto it = metadata.find(key);
  const auto* value = it == metadata.end() ? nullptr : std::get_if<std::string>(&it->second);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::uint64_t> GgufHeader::count(const std::string& key) const {
  const auto it = metadata.find(key);
  if (it == metadata.end()) {
    return std::nullopt;
  }
  if (const auto* value = std::get_if<std::uint64_t>(&it->second)) {
    return *value;
  }
  const auto* value = std::get_if<std::int64_t>(&it->second);
  return value == nullptr || *value < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(*value));
}

std::string_view GgufHeader::main_type() const {
  std::map<std::uint32_t, std::uint64_t> bytes;
  for (const auto& tensor : tensors) {
    bytes[tensor.type] += tensor.bytes;
  }
  std::string_view name;
  std::uint64_t most = 0;
  for (const auto& [type, sum] : bytes) {
    if (sum > most) {
      most = sum;
      name = block_format(type)->name;
    }
  }
  return name;
}

GgufHeader parse_gguf_header(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  GgufCursor in(bytes, path.string());
  GgufHeader header;
  header.files.push_back(path);
  constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
  if (in.left() < 4 || in.read<std::uint32_t>("the magic") != kMagic) {
    throw FormatError(path.string(), "byte 0", "no GGUF file: it doesn't begin with \"GGUF\"");
  }
  header.version = in.read<std::uint32_t>("the version");
  if (header.version != 2 && header.version != 3) {
    in.fail(fmt::format("GGUF version {}; expected 2 or 3 (a big-endian file?)", header.version));
  }
  const auto tensor_count = in.read<std::uint64_t>("the number of tensors");
  const auto key_count = in.read<std::uint64_t>("the number of keys");
  // Each takes more bytes than this, so the counts bound what is allocated.
  if (tensor_count > in.left() / 24 || key_count > in.left() / 12) {
    in.fail(fmt::format("{} tensors and {} keys in a file of {} bytes", tensor_count, key_count, in.size()));
  }
  for (std::uint64_t i = 0; i < key_count; ++i) {
    const auto key = in.read_string("a key");
    if (key.empty() || key.size() > kMaxName) {
      in.fail(fmt::format("a key of {} bytes", key.size()));
    }
    const auto type = in.read_type();
    const auto start = in.at();
    if (!header.metadata.emplace(std::string(key), read_value(in, type)).second) {
      in.fail(fmt::format("key {} is there twice", key));
    }
    header.entries.push_back({std::string(key), type, start, in.at() - start});
  }
  header.tensors.reserve(tensor_count);
  std::set<std::string_view> names;
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    header.tensors.push_back(read_tensor(in));
    if (!names.insert(header.tensors.back().name).second) {
      in.fail(fmt::format("tensor {} is there twice", header.tensors.back().name));
    }
  }
  place_tensors(in, header);
  return header;
}

}  // namespace gpqa
