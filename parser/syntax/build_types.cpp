#include "parser/syntax/builder.h"

namespace millrace::inline parser {

ast::TypeName Builder::data_type(P::DataTypeContext* context) {
  ast::TypeName type;
  type.span = span(context);
  if (auto* named = dynamic_cast<P::NamedTypeContext*>(context)) {
    type.name = name(named->name());
    for (auto* parameter : named->typeParameter()) {
      if (parameter->INTEGER_VALUE() != nullptr) type.numbers.push_back(integer(parameter->getStart()));
    }
    return type;
  }
  type.name = {word(context), false, span(context->getStart())};
  if (auto* array = dynamic_cast<P::ArrayTypeContext*>(context)) {
    type.arguments.push_back(data_type(array->dataType()));
  } else if (auto* map = dynamic_cast<P::MapTypeContext*>(context)) {
    for (auto* argument : map->dataType()) type.arguments.push_back(data_type(argument));
  } else if (auto* structure = dynamic_cast<P::StructTypeContext*>(context)) {
    for (auto* field : structure->structField()) {
      type.fields.push_back(name(field->name()));
      type.arguments.push_back(data_type(field->dataType()));
    }
  }
  return type;
}

}  // namespace millrace::inline parser
