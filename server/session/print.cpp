#include "server/session/run_query.h"

namespace millrace {

Service::Started run_print(const ast::Print& print, ServiceImpl&, ResultSink&) {
  throw SqlError(Code::not_supported, print.topic.span, "PRINT is not supported yet.");
}

}  // namespace millrace
