#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/data/result.h"
#include "planner/types/schema.h"

/// Protobuf schemas as the codecs need them: messages with their fields, nothing of options or services.
namespace millrace::inline exec::proto {

enum class FieldKind : std::uint8_t {
  boolean,
  int32,
  sint32,
  sfixed32,
  uint32,
  fixed32,
  int64,
  sint64,
  sfixed64,
  uint64,
  fixed64,
  float_,
  double_,
  string,
  bytes,
  enumeration,
  message,
};

/// Messages that stand for one SQL value.
enum class Meaning : std::uint8_t { none, timestamp, date, time_of_day, decimal, wrapper };

struct Enumeration {
  std::vector<std::pair<std::int32_t, std::string>> values;
  std::string_view name_of(std::int32_t number) const;  // empty: unknown
};

struct Message;
struct Field {
  std::string name;
  std::uint32_t number = 0;
  FieldKind kind = FieldKind::int32;
  bool repeated = false;
  bool presence = false;                     // tells absent from default: `optional`, a member of a oneof, proto2
  bool required = false;                     // proto2
  int oneof = -1;                            // index into Message::oneofs
  const Message* message = nullptr;          // message
  const Enumeration* enumeration = nullptr;  // enumeration
  int precision = 0, scale = 0;              // of a decimal, 0: not told
};
struct Message {
  std::string full_name;
  Meaning meaning = Meaning::none;
  bool map_entry = false;  // fields 1 key, 2 value
  std::vector<Field> fields;
  std::vector<std::string> oneofs;
  std::vector<int> path;  // of indexes from the file to the message, as registry framing names it
  std::vector<const Message*> nested;

  const Field* find(std::string_view name) const;  // exact, else as names in capitals; null: no such
  /// The oneof that Connect gives this name, `<oneof>_<place>`, in any capitals; -1: no such.
  int find_oneof(std::string_view name) const;
};

/// Messages of one text. Immutable once made; any thread.
struct File {
  std::deque<Message> messages;  // stable addresses; may refer to each other in circles
  std::deque<Enumeration> enumerations;
  std::vector<const Message*> roots;  // of the text itself, in order
  std::string package;

  /// By full name, or name without package; the first when empty; null: no such.
  const Message* find(std::string_view full_name) const;
};
using FilePtr = std::shared_ptr<const File>;

/// How the entries of a MAP show in a text: as `map<key, value>`, or as messages of their own, as Connect's converter
/// prints them. The bytes are the same.
enum class MapEntries : std::uint8_t { maps, messages };
/// The message for rows of these columns, fields numbered from 1. Precondition: the format can hold them.
FilePtr file_for(const std::vector<ColumnDef>& columns, const FormatInfo& format,
                 MapEntries entries = MapEntries::maps);
/// The text of what file_for() made.
std::string print(const File& file);

/// Parses a text, or a FileDescriptorProto in base64; what it imports is among `imports` or well known. A user error
/// says where it is wrong.
Result<FilePtr> parse(const SchemaText& schema);
/// The FileDescriptorProto of a schema in base64.
Result<std::string> serialized(const SchemaText& schema);
/// Bytes that are the same for texts that differ in spaces, comments or in being serialized; imports are not looked at.
Result<std::string> canonical(const std::string& text);
/// The text of a schema with full names of types, printed in one way.
Result<std::string> normalized(const SchemaText& schema);
/// As Confluent's clients see the path of a message in front of its bytes.
std::string index_bytes(const Message& message);
/// The message whose path those bytes name; moves `bytes` behind them. Null: no such, or broken.
const Message* take_message(const File& file, std::string_view& bytes);

/// The SQL type of a message's values: a STRUCT of its fields. Fails for messages that hold themselves.
Result<Type> sql_type(const Message& message);

}  // namespace millrace::inline exec::proto
