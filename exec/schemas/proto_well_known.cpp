#include "exec/schemas/proto_well_known.h"

#include <algorithm>
#include <array>
#include <utility>

namespace millrace::inline exec::proto {
namespace {

// Only what decides the bytes: names, numbers and types of the fields.
constexpr std::array kFiles = {
    std::pair<std::string_view, std::string_view>{"google/protobuf/timestamp.proto", R"(syntax = "proto3";
package google.protobuf;
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
)"},
    std::pair<std::string_view, std::string_view>{"google/protobuf/duration.proto", R"(syntax = "proto3";
package google.protobuf;
message Duration { int64 seconds = 1; int32 nanos = 2; }
)"},
    std::pair<std::string_view, std::string_view>{"google/protobuf/empty.proto", R"(syntax = "proto3";
package google.protobuf;
message Empty {}
)"},
    std::pair<std::string_view, std::string_view>{"google/protobuf/any.proto", R"(syntax = "proto3";
package google.protobuf;
message Any { string type_url = 1; bytes value = 2; }
)"},
    std::pair<std::string_view, std::string_view>{"google/protobuf/wrappers.proto", R"(syntax = "proto3";
package google.protobuf;
message DoubleValue { double value = 1; }
message FloatValue { float value = 1; }
message Int64Value { int64 value = 1; }
message UInt64Value { uint64 value = 1; }
message Int32Value { int32 value = 1; }
message UInt32Value { uint32 value = 1; }
message BoolValue { bool value = 1; }
message StringValue { string value = 1; }
message BytesValue { bytes value = 1; }
)"},
    std::pair<std::string_view, std::string_view>{"google/protobuf/struct.proto", R"(syntax = "proto3";
package google.protobuf;
message Struct { map<string, Value> fields = 1; }
message Value {
  oneof kind {
    NullValue null_value = 1;
    double number_value = 2;
    string string_value = 3;
    bool bool_value = 4;
    Struct struct_value = 5;
    ListValue list_value = 6;
  }
}
enum NullValue { NULL_VALUE = 0; }
message ListValue { repeated Value values = 1; }
)"},
    std::pair<std::string_view, std::string_view>{"google/type/date.proto", R"(syntax = "proto3";
package google.type;
message Date { int32 year = 1; int32 month = 2; int32 day = 3; }
)"},
    std::pair<std::string_view, std::string_view>{"google/type/timeofday.proto", R"(syntax = "proto3";
package google.type;
message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }
)"},
    std::pair<std::string_view, std::string_view>{"confluent/type/decimal.proto", R"(syntax = "proto3";
package confluent.type;
import public "confluent/meta.proto";
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
)"},
    std::pair<std::string_view, std::string_view>{"confluent/meta.proto", R"(syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
)"},
};

}  // namespace

std::string_view well_known_file(std::string_view name) {
  const auto found = std::ranges::find(kFiles, name, [](const auto& file) { return file.first; });
  return found == kFiles.end() ? std::string_view() : found->second;
}

}  // namespace millrace::inline exec::proto
