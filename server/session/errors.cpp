#include "server/session/errors.h"

namespace millrace::inline server {
namespace json = boost::json;

json::object ServiceError::to_json() const {
  json::object body{
      {"@type", statement ? "statement_error" : "generic_error"}, {"error_code", code}, {"message", message}};
  if (statement) {
    body["statementText"] = *statement;
    body["entities"] = entities;
  }
  if (!hint.empty()) body["hint"] = hint;
  if (span.line != 0)
    body["position"] =
        json::object{{"line", span.line}, {"column", span.column}, {"begin", span.begin}, {"end", span.end}};
  return body;
}

ServiceError to_service_error(const SqlError& error, const std::string& statement, bool plain) {
  ServiceError out;
  out.message = error.what();
  out.hint = error.hint();
  out.span = error.span();
  if (error.code() == Code::assertion_failed) {
    out.code = kAssertionFailed;
    return out;
  }
  if (plain && error.error_class() != ErrorClass::parse) {
    out.code = kBadRequest;
    return out;
  }
  out.code = kBadStatement;
  out.statement = error.statement().empty() ? statement : error.statement();
  return out;
}

ServiceError to_service_error(const Error& error) {
  return service_error(error.fault == Fault::user          ? kBadRequest
                       : error.fault == Fault::unavailable ? kTableNotReady
                                                           : kServerError,
                       error.message);
}

ServiceError service_error(int code, std::string message) {
  ServiceError out;
  out.code = code;
  out.message = std::move(message);
  return out;
}

}  // namespace millrace::inline server
