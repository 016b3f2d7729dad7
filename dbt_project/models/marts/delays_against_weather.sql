with

flights as (

    select * from {{ ref('stg_flights') }}

),

weather as (

    select * from {{ ref('stg_weather') }}

),

counted as (

    select

        concat_ws(
            '-',
            origin_airport_code,
            extract(epoch from scheduled_departure_hour_at)::bigint
        ) as origin_hour_id,
        origin_airport_code,
        scheduled_departure_hour_at,

        count(*) as count_flights,
        count(*) filter (where is_cancelled) as count_cancelled_flights,
        round(avg(departure_delay_minutes), 1)
            as average_departure_delay_minutes

    from flights

    group by origin_airport_code, scheduled_departure_hour_at

),

joined as (

    select

        counted.*,

        weather.weather_id is not null as is_weather_known,
        weather.temperature_fahrenheit,
        weather.wind_speed_mph,
        weather.wind_gust_mph,
        weather.precipitation_inches,
        weather.visibility_miles

    from counted

    -- Both sides are points in time. Year, month, day and hour would join too,
    -- but mix up the two hours that share a name when summer time ends.
    left join weather
        on
            counted.origin_airport_code = weather.airport_code
            and counted.scheduled_departure_hour_at = weather.observed_hour_at

)

select * from joined
