import java.math.*;
import java.util.*;

/** Numbers as Java has them, for number_test.cpp: lines of operation, arguments and result; doubles as their bits. */
public class NumberReference {
  static final Random random = new Random(3);

  static double some() {
    switch (random.nextInt(8)) {
      case 0: return Double.longBitsToDouble(random.nextLong());
      case 1: return random.nextInt(2000) - 1000 + 0.5;
      case 2: return (random.nextLong() >> random.nextInt(60)) + (random.nextBoolean() ? 0.5 : 0);
      case 3: return Math.nextAfter(random.nextInt(100) - 50 + 0.5, random.nextBoolean() ? 1e9 : -1e9);
      case 4: return (random.nextInt(2_000_000) - 1_000_000) / 1000.0;
      case 5: return new double[] {0.0, -0.0, 0.49999999999999994, -0.49999999999999994, 4503599627370497.0, 4503599627370496.5,
          9007199254740993.0, -4503599627370497.0, 9.223372036854776E18, -9.223372036854776E18, Double.MAX_VALUE,
          Double.MIN_VALUE, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.NaN, 2147483647.5, 1e22, 1e23,
          5e-324, 1.005, 2.675}[random.nextInt(21)];
      case 6: return random.nextGaussian() * Math.pow(10, random.nextInt(40) - 20);
      default: return random.nextDouble();
    }
  }
  static String bits(double d) { return Double.isNaN(d) ? "NaN" : "" + Double.doubleToRawLongBits(d); }

  static BigDecimal decimal() {
    int digits = 1 + random.nextInt(9);
    BigInteger unscaled = new BigInteger("" + (1 + random.nextInt(9)) + String.format("%0" + digits + "d", Math.abs(random.nextLong() % (long) Math.pow(10, digits))));
    return new BigDecimal(random.nextBoolean() ? unscaled : unscaled.negate(), 1 + random.nextInt(digits));
  }

  static String arithmetic(String op, BigDecimal a, BigDecimal b) {
    int p1 = a.precision(), s1 = a.scale(), p2 = b.precision(), s2 = b.scale(), precision, scale;
    try {
      switch (op) {
        case "*": precision = p1 + p2 + 1; scale = s1 + s2; return a.multiply(b).setScale(scale).toPlainString();
        case "/":
          scale = Math.max(6, s1 + p2 + 1); precision = p1 - s1 + s2 + scale;
          return a.divide(b, new MathContext(precision, RoundingMode.UNNECESSARY)).setScale(scale).toPlainString();
        case "%": return a.remainder(b).setScale(Math.max(s1, s2)).toPlainString();
        case "-": return a.subtract(b).setScale(Math.max(s1, s2)).toPlainString();
        default: return a.add(b).setScale(Math.max(s1, s2)).toPlainString();
      }
    } catch (ArithmeticException e) {
      return "error";
    }
  }

  static String rounded(double x, int places) {
    try {
      BigDecimal value = BigDecimal.valueOf(x);
      return bits(value.setScale(places, value.signum() > 0 ? RoundingMode.HALF_UP : RoundingMode.HALF_DOWN).doubleValue());
    } catch (NumberFormatException e) {
      return "error";
    }
  }

  static String fitted(BigDecimal value, int precision, int scale) {
    BigDecimal fitted = value.setScale(scale, RoundingMode.HALF_UP);
    return fitted.precision() > precision && fitted.signum() != 0 ? "error" : fitted.toPlainString();
  }

  static final String TEXT = "0123456789.-+eE xdf";

  static String text() {
    if (random.nextInt(3) == 0) return bitsText();
    StringBuilder text = new StringBuilder();
    for (int n = 1 + random.nextInt(10); n > 0; --n) text.append(TEXT.charAt(random.nextInt(random.nextBoolean() ? 10 : TEXT.length())));
    return text.toString();
  }
  static String bitsText() {
    return random.nextBoolean() ? "" + random.nextLong() : random.nextBoolean() ? "" + random.nextInt() : "" + some();
  }

  interface Parse { String of(String text); }
  static String parsed(Parse parse, String text) {
    try { return parse.of(text.trim()); } catch (NumberFormatException e) { return "error"; }
  }

  public static void main(String[] arguments) {
    StringBuilder out = new StringBuilder();
    for (int i = Integer.parseInt(arguments[1]); i > 0; --i) {
      double x = some();
      int places = random.nextInt(24) - 8;
      out.append("ROUND\t" + bits(x) + "\t" + Math.round(x) + "\n");
      out.append("ROUNDTO\t" + bits(x) + "\t" + places + "\t" + rounded(x, places) + "\n");
      out.append("FLOOR\t" + bits(x) + "\t" + bits(Math.floor(x)) + "\n");
      out.append("CEIL\t" + bits(x) + "\t" + bits(Math.ceil(x)) + "\n");
      out.append("SQRT\t" + bits(x) + "\t" + bits(Math.sqrt(x)) + "\n");
      out.append("LN\t" + bits(x) + "\t" + bits(Math.log(x)) + "\n");
      out.append("EXP\t" + bits(x) + "\t" + bits(Math.exp(x)) + "\n");
      out.append("INTEGER\t" + bits(x) + "\t" + (int) x + "\n");
      out.append("BIGINT\t" + bits(x) + "\t" + (long) x + "\n");
      if (!Double.isNaN(x) && !Double.isInfinite(x))
        out.append("DECIMAL\t" + bits(x) + "\t" + fitted(new BigDecimal(x, new MathContext(12)), 12, 3) + "\n");
      out.append("TEXT\t" + bits(x) + "\t" + x + "\n");
      BigDecimal a = decimal(), b = decimal();
      for (String op : List.of("+", "-", "*", "/", "%"))
        out.append("SQL\t" + a.toPlainString() + " " + op + " " + b.toPlainString() + "\t" + arithmetic(op, a, b) + "\n");
      String text = text();
      out.append("TEXTINTEGER\t" + text + "\t" + parsed(t -> "" + Integer.parseInt(t), text) + "\n");
      out.append("TEXTBIGINT\t" + text + "\t" + parsed(t -> "" + Long.parseLong(t), text) + "\n");
      if (!text.contains("N") && !text.contains("I"))  // refused, as the specification has it
        out.append("TEXTDOUBLE\t" + text + "\t" + parsed(t -> bits(Double.parseDouble(t)), text) + "\n");
      out.append("TEXTDECIMAL\t" + text + "\t" + parsed(t -> fitted(new BigDecimal(t), 12, 3), text) + "\n");
    }
    System.out.print(out);
  }
}
